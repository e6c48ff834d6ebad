from django.urls import include, path

from apps.merchants.api import EnrolmentCodesView, TerminalKeyView, TerminalsView
from apps.merchants.views import errors_page

urlpatterns = [
    path("", include("apps.merchants.docs.urls")),
    path("docs/errors", errors_page, name="errors"),
    path("v1/terminals", TerminalsView.as_view(), name="terminals"),
    path("v1/terminals/<str:code>/enrolment-codes", EnrolmentCodesView.as_view(), name="enrolment_codes"),
    path("v1/terminals/<str:code>/key", TerminalKeyView.as_view(), name="terminal_key"),
]
