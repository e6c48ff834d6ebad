"""Who sees the console: auditors. To everybody else it does not exist."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from apps.audit.officers import is_auditor

View = Callable[..., HttpResponse]


def auditors_only(view: View) -> View:
    """Send strangers to the sign-in and answer 404 to everybody who is no auditor."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not is_auditor(request.user):
            raise Http404("For auditors only.")
        return view(request, **kwargs)

    return never_cache(login_required(guarded))


def actor_of(request: HttpRequest) -> str:
    """Who acts, as the trail names them."""
    return f"user:{request.user.get_username()}"
