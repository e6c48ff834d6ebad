from django.urls import path

from apps.merchants.docs.reference import Document, reference
from apps.merchants.docs.views import page

urlpatterns = [
    path("docs/", page, {"name": ""}, name="docs"),
    path("docs/first-purchase", page, {"name": "first-purchase"}, name="first_purchase"),
    path("docs/guide", page, {"name": "guide"}, name="guide"),
    path("docs/protocol", page, {"name": "protocol"}, name="protocol"),
    path("v1/openapi.json", Document.as_view(), name="openapi"),
    path("v1/docs", reference, name="reference"),
]
