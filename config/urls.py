"""Every address that Kanpu answers."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.i18n import set_language

from apps.audit.administration import site

urlpatterns = [
    path("", include("apps.purchases.urls")),  # first, as tills ask most
    path("", include("apps.merchants.urls")),
    path("", include("apps.residents.urls")),
    path("", include("apps.console.urls")),
    path("", include("apps.portal.urls")),
    path("admin/", site.urls),
    path("login", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("language", set_language, name="set_language"),
]
handler400 = "apps.merchants.views.bad_request"
handler404 = "apps.merchants.views.not_found"
handler500 = "apps.merchants.views.server_error"
