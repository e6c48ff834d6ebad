"""A small identity provider as a government runs one: OpenID Connect, authorization code with PKCE, signed tokens.

For the demo and tests, on loopback only. Nobody is asked for a password: who comes chooses who to be.
"""

import base64
import hashlib
import html
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

STRONG: Final = "urn:kanpu:demo:two-factors"
PEOPLE: Final = {"hanako": STRONG, "taro": STRONG, "jiro": "urn:kanpu:demo:password"}  # how each of them signs in there
BACK: Final = "/login/identity/back"
CODE_GOOD_FOR_S: Final = 60
KEY_ID: Final = "demo"
CONFIGURATION: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Grant:
    """What an authorization code stands for."""

    person: str
    redirect_uri: str
    challenge: str
    nonce: str
    at_s: float


@dataclass(slots=True)
class Provider:
    """Its one client, its key, and the codes that nobody took yet. It says that it asked people `asked_s` ago."""

    issuer: str
    client_id: str
    client_secret: str
    asked_s: int = 0
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    grants: dict[str, Grant] = field(default_factory=dict)

    def configuration(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0, 3."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "acr_values_supported": sorted(set(PEOPLE.values())),
        }

    def keys(self) -> dict[str, Any]:
        """The public key, RFC 7517."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": KEY_ID, "use": "sig", "alg": "RS256"}]}

    def refusal(self, asked: Mapping[str, str]) -> str:
        """What is wrong with a request for a code; nothing if it is right."""
        back = urlsplit(asked.get("redirect_uri", ""))
        if asked.get("client_id") != self.client_id or back.path != BACK:
            return "unknown client"
        if back.hostname not in {"localhost", "127.0.0.1"}:
            return "not on loopback"
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            return "code with PKCE only"
        return "" if "openid" in asked.get("scope", "").split() else "scope openid is missing"

    def grant(self, asked: Mapping[str, str]) -> str:
        """The address to go back to: with a code, or without one for who gave up."""
        person = asked.get("person", "")
        answer = {"state": asked.get("state", "")}
        if person in PEOPLE:
            code = answer["code"] = secrets.token_urlsafe(24)
            self.grants[code] = Grant(
                person, asked["redirect_uri"], asked["code_challenge"], asked.get("nonce", ""), time.time()
            )
        else:
            answer["error"] = "access_denied"
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def tokens(self, asked: Mapping[str, str]) -> dict[str, Any] | None:
        """RFC 6749, 4.1.4, for a code that is good once; nothing for anything else."""
        grant = self.grants.pop(asked.get("code", ""), None)
        known = secrets.compare_digest(asked.get("client_secret", ""), self.client_secret)
        if grant is None or not known or asked.get("client_id") != self.client_id:
            return None
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        proved = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == grant.challenge
        late = time.time() - grant.at_s > CODE_GOOD_FOR_S
        if not proved or late or asked.get("redirect_uri") != grant.redirect_uri:
            return None
        return {
            "access_token": secrets.token_urlsafe(24),
            "token_type": "Bearer",
            "expires_in": CODE_GOOD_FOR_S,
            "id_token": self._id_token(grant),
        }

    def _id_token(self, grant: Grant) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": hashlib.sha256(f"{self.client_id}:{grant.person}".encode()).hexdigest(),
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "auth_time": int(grant.at_s) - self.asked_s,
            "acr": PEOPLE[grant.person],
            **({"nonce": grant.nonce} if grant.nonce else {}),
            "name": grant.person,  # as real ones do: Kanpu must not keep it
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": KEY_ID})


def page(asked: Mapping[str, str]) -> str:
    """Who do you want to be?"""
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in asked.items()
    )
    people = "".join(
        f'<p><button name="person" value="{name}">{name} ({acr})</button></p>' for name, acr in PEOPLE.items()
    )
    cancel = '<p><button name="person" value="">やめる / Cancel</button></p>'
    return (
        '<!doctype html><html lang="ja"><head><meta charset="utf-8"><title>Simulated identity provider</title></head>'
        "<body><h1>模擬の本人確認 / Simulated identity provider</h1>"
        f'<form method="post">{hidden}{people}{cancel}</form></body></html>'
    )


def serve(provider: Provider, port: int) -> None:
    """Answer until the process is ended."""
    ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (Handler,), {"provider": provider})).serve_forever()


class Handler(BaseHTTPRequestHandler):
    """The addresses of a provider."""

    provider: Provider

    def do_GET(self) -> None:
        """Configuration, keys, and the page on which people say who they are."""
        path, asked = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        if path == CONFIGURATION:
            self._json(self.provider.configuration())
        elif path == "/jwks":
            self._json(self.provider.keys())
        elif path == "/favicon.ico":  # browsers ask for it
            self._answer(204, "image/x-icon", b"")
        elif wrong := "no such page" if path != "/authorize" else self.provider.refusal(asked):
            self._answer(400, "text/plain", wrong.encode())
        else:
            self._answer(200, "text/html; charset=utf-8", page(asked).encode())

    def do_POST(self) -> None:
        """What they said, and a code for tokens."""
        asked = dict(parse_qsl(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()))
        if urlsplit(self.path).path == "/authorize" and not self.provider.refusal(asked):
            self._answer(302, "text/plain", b"", location=self.provider.grant(asked))
        elif self.path == "/token" and (tokens := self.provider.tokens(asked)):
            self._json(tokens)
        else:
            self._answer(400, "application/json", b'{"error": "invalid_grant"}')

    def _json(self, document: Mapping[str, Any]) -> None:
        self._answer(200, "application/json", json.dumps(document).encode())

    def _answer(self, status: int, kind: str, body: bytes, location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_said: object) -> None:
        """Nothing: addresses hold codes."""
