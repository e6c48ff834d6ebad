"""Every address that Kanpu answers."""

from allauth.mfa.base.views import authenticate
from allauth.mfa.webauthn.views import login_webauthn
from django.urls import include, path
from django.views.i18n import set_language

from apps.audit.administration import site
from apps.portal.identity import PROVIDER
from apps.portal.views import factors, identity, sign_in

# Of allauth only these: nobody signs up, no e-mail address signs in, no password is reset by one. allauth finds them by
# the names that begin with account_, mfa_ and openid_connect_.
SIGN_IN = [
    path("login", sign_in.login, name="login"),
    path("login", sign_in.login, name="account_login"),
    path("login/passkey", login_webauthn, name="mfa_login_webauthn"),
    path("login/code", authenticate, name="mfa_authenticate"),
    path("login/identity", identity.leave, {"provider_id": PROVIDER}, "openid_connect_login"),
    path("login/identity/back", identity.back, {"provider_id": PROVIDER}, "openid_connect_callback"),
    path("logout", sign_in.sign_out, name="logout"),
    path("sign-in", sign_in.overview, name="sign-in"),
    path("sign-in", sign_in.overview, name="mfa_index"),
    path("sign-in/again", sign_in.again, name="sign-in-again"),
    path("sign-in/again/password", factors.again_by_password, name="account_reauthenticate"),
    path("sign-in/again/code", factors.again_by_code, name="mfa_reauthenticate"),
    path("sign-in/again/passkey", factors.again_by_passkey, name="mfa_reauthenticate_webauthn"),
    path("sign-in/second-factor", sign_in.second_factor, name="second-factor"),
    path("sign-in/password", sign_in.password, name="password"),
    path("sign-in/passkey", factors.add_passkey, name="mfa_add_webauthn"),
    path("sign-in/program", factors.set_up_program, name="mfa_activate_totp"),
    path("sign-in/factors/<int:factor_id>/name", factors.rename, name="factor-rename"),
    path("sign-in/factors/<int:factor_id>/remove", factors.remove, name="factor-remove"),
    path("sign-in/recovery-codes", factors.recovery_codes, name="mfa_view_recovery_codes"),
    path("sign-in/recovery-codes/new", factors.new_recovery_codes, name="mfa_generate_recovery_codes"),
    path("sign-in/identity/disconnect", sign_in.disconnect, name="identity-disconnect"),
    path("sign-in/sessions/<int:session_id>/end", sign_in.end, name="session-end"),
    path("sign-in/sessions/end-others", sign_in.end_others, name="sessions-end-others"),
]
urlpatterns = [
    path("", include("apps.purchases.urls")),  # first, as tills ask most
    path("", include("apps.merchants.urls")),
    path("", include("apps.residents.urls")),
    path("", include("apps.inspections.urls")),
    path("", include("apps.payouts.urls")),
    path("", include("apps.console.urls")),
    path("", include("apps.portal.urls")),
    path("", include("apps.upkeep.urls")),
    path("admin/", site.urls),
    path("", include(SIGN_IN)),
    path("language", set_language, name="set_language"),
]
handler400 = "apps.merchants.views.bad_request"
handler404 = "apps.merchants.views.not_found"
handler500 = "apps.merchants.views.server_error"
