"""The government's identity provider (OpenID Connect): its token is checked, and of it only what is needed is kept."""

from typing import Any, Final

import jwt
from allauth.socialaccount.internal.jwtkit import fetch_key, lookup_kid_jwk
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, get_random_string

PROVIDER: Final = "government"
ALGORITHMS: Final = ("RS256", "PS256", "ES256")
CLOCKS_DIFFER_S: Final = 60
NONCE: Final = "kanpu_identity_nonce"


def new_nonce(session: SessionBase) -> str:
    """What the provider puts into the token that it makes for this sign-in, so that no other one is taken for it."""
    nonce: str = get_random_string(32)
    session[NONCE] = nonce
    return nonce


class GovernmentAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """No names and no addresses: only that it is the same person as before, how they were asked, and when."""

    def complete_login(self, request: HttpRequest, app: SocialApp, _token: SocialToken, **given: Any) -> SocialLogin:
        """The sign-in that the id_token stands for. Raises OAuth2Error."""
        nonce = request.session.pop(NONCE, "")  # good once
        claims = self._claims(app, given["response"].get("id_token", ""))
        if not nonce or not constant_time_compare(str(claims.get("nonce", "")), nonce):
            raise OAuth2Error("The id_token was not made for this sign-in.")
        kept = {
            "sub": str(claims["sub"]),
            "acr": str(claims.get("acr", "")),
            "auth_time": int(claims["auth_time"]),
        }
        return self.get_provider().sociallogin_from_response(request, {"id_token": kept})

    def _claims(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        """OpenID Connect Core 1.0, 3.1.3.7; the signature is checked although the token came straight from there."""
        try:
            algorithm, key = fetch_key(id_token, self.openid_config["jwks_uri"], lookup_kid_jwk)
            if algorithm not in ALGORITHMS:
                raise OAuth2Error(f"The id_token is signed with {algorithm}.")
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=[algorithm],
                audience=app.client_id,
                issuer=self.openid_config["issuer"],
                leeway=CLOCKS_DIFFER_S,
                options={"require": ["exp", "iat", "sub", "auth_time"]},
            )
        except (jwt.PyJWTError, KeyError, ValueError) as error:
            raise OAuth2Error("The id_token is not what it must be.") from error
        return claims
