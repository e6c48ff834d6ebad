from django.urls import path

from apps.console.views import decisions, refunds, runs
from apps.console.views.what_if import what_if

urlpatterns = [
    path("console/", runs.years, name="console"),
    path("console/alarms", runs.alarms, name="alarms"),
    path("console/years/<int:year>/freeze", runs.freeze, name="freeze"),
    path("console/runs/<int:year>/<int:number>", runs.run, name="run"),
    path("console/runs/<int:year>/<int:number>/sign", runs.sign, name="sign"),
    path("console/runs/<int:year>/<int:number>/<slug:name>", runs.step, name="step"),
    path("console/refunds", refunds.refunds, name="refunds"),
    path(
        "console/refunds/<uuid:ref>/<int:year>/<int:number>/statement.json",
        refunds.statement,
        {"kind": "json"},
        name="refund-json",
    ),
    path(
        "console/refunds/<uuid:ref>/<int:year>/<int:number>/statement.pdf",
        refunds.statement,
        {"kind": "pdf"},
        name="refund-pdf",
    ),
    path("console/decisions", decisions.decisions, name="decisions"),
    path("console/decisions/<int:decision_id>", decisions.decision, name="decision"),
    path("console/decisions/<int:decision_id>/letter-<slug:language>.pdf", decisions.letter, name="letter"),
    path("console/decisions/<int:decision_id>/sent", decisions.sent, name="decision-sent"),
    path("console/decisions/<int:decision_id>/appealed", decisions.appealed, name="decision-appealed"),
    path("console/decisions/<int:decision_id>/decided", decisions.decided, name="decision-decided"),
    path("console/what-if/<int:year>", what_if, name="what-if"),
]
