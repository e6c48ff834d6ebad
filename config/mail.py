"""The mail server's address in one setting. Pure."""

from typing import Any, Final
from urllib.parse import unquote, urlsplit

BACKEND: Final = "django.core.mail.backends.{}.EmailBackend"
PORTS: Final = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}


def mail_settings(url: str) -> dict[str, Any]:
    """Django's EMAIL_… settings from `console:`, or `smtp+tls://user:password@host:587` (STARTTLS).

    `smtp+ssl` is TLS from the first byte; `smtp` is neither, for a server on the same machine.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        return {"EMAIL_BACKEND": BACKEND.format(parts.scheme)}  # console, dummy, locmem
    return {
        "EMAIL_BACKEND": BACKEND.format("smtp"),
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": parts.port or PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtp+ssl",
    }
