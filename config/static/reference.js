// Shows the OpenAPI document. The reader's own key goes only into requests of this page, and is not kept.
const place = document.getElementById("reference");
SwaggerUIBundle({ domNode: place, url: place.dataset.document, deepLinking: true, defaultModelsExpandDepth: -1 });
