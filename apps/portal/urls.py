from django.urls import path

from apps.portal.views import (
    accesses,
    activation,
    cards,
    choices,
    decisions,
    published,
    registration,
    statements,
    years,
)

urlpatterns = [
    path("published", published.published, name="published"),
    path("published.json", published.published_json, name="published-json"),
    path("", years.home, name="home"),
    path("activate", activation.code, name="activate"),
    path("activate/account", activation.account, name="activate-account"),
    path("cards", cards.cards, name="my-cards"),
    path("cards/lost", cards.lost, name="card-lost"),
    path("cards/<int:card_id>/resume", cards.resume, name="card-resume"),
    path("cards/order", cards.order, name="card-order"),
    path("registration", registration.registration, name="my-registration"),
    path("choices", choices.choices, name="my-choices"),
    path("accesses", accesses.accesses, name="my-accesses"),
    path("year/<int:year>", years.year_page, name="year"),
    path("year/<int:year>/run/<int:number>", statements.statement, name="my-statement"),
    path("year/<int:year>/run/<int:number>/statement.json", statements.statement_file, {"kind": "json"}, "my-json"),
    path("year/<int:year>/run/<int:number>/statement.pdf", statements.statement_file, {"kind": "pdf"}, "my-pdf"),
    path("kanpu_verify.pyz", statements.verifier, name="verifier"),
    path("decisions", decisions.decisions, name="my-decisions"),
    path("decisions/<int:decision_id>", decisions.decision, name="my-decision"),
    path("decisions/<int:decision_id>/letter.pdf", decisions.letter, name="my-letter"),
    path("decisions/<int:decision_id>/appeal", decisions.appeal, name="my-appeal"),
]
