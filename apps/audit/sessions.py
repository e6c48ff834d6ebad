"""What a request's session knows of an officer's key."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.audit.strength import records_of, with_key


def key_records(request: HttpRequest) -> list[Mapping[str, Any]]:
    """When and how the user showed a passkey or security key in this session."""
    return with_key(records_of(request.session, request.user.pk or 0))


def lacks_key(request: HttpRequest) -> bool:
    """Whether an officer has yet to show a key. Only the demo, asked from its own machine, goes without."""
    return not (is_local_demo(request) or key_records(request))


def is_local_demo(request: HttpRequest) -> bool:
    """Whether this is the demo and whoever asks sits at its machine. Production refuses to start as a demo."""
    try:
        return bool(settings.DEMO) and ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
