"""The project's addresses, and beside them those of what it is measured against."""

from django.urls import include, path

from bench.rivals.views import TypicalView, bare, empty

urlpatterns = [
    path("bench/typical", TypicalView.as_view()),
    path("bench/bare", bare),
    path("bench/empty", empty),
    path("", include("config.urls")),
]
handler400 = "apps.merchants.views.bad_request"
handler404 = "apps.merchants.views.not_found"
handler500 = "apps.merchants.views.server_error"
