"""What balancers and watchers ask: plain answers without a session, a cookie or a name of any machine."""

import hmac
from ipaddress import ip_address
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from apps.kernel.metrics import OWN
from apps.upkeep.queries.gauges import Gauges
from apps.upkeep.queries.parts import is_ready, parts

RETRY_AFTER_S: Final = 5


@never_cache
@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """That this process answers, whatever is around it. Who gets no answer starts it anew."""
    return JsonResponse({"status": "live"})


@never_cache
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """Whether this process can do its work: 503 with the part that keeps it from that. A balancer sends it none then.

    Redis away makes it no less ready: purchases are accepted and counted without it.
    """
    found = parts()
    if is_ready(found):
        return JsonResponse({"status": "ready", "parts": dict(found)})
    return JsonResponse(
        {"status": "not ready", "parts": dict(found)}, status=503, headers={"Retry-After": str(RETRY_AFTER_S)}
    )


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Counters of all of this host's processes, and how the system stands; to others than watchers it is not there."""
    if not _is_watcher(request):
        raise Http404("Not for this caller.")
    standing = CollectorRegistry()
    standing.register(Gauges())
    counted = OWN
    if settings.KANPU_METRICS:
        counted = CollectorRegistry()
        MultiProcessCollector(counted, str(settings.KANPU_METRICS))  # type: ignore[no-untyped-call]
    return HttpResponse(generate_latest(counted) + generate_latest(standing), content_type=CONTENT_TYPE_LATEST)


def _is_watcher(request: HttpRequest) -> bool:
    """Who bears the token. Where there is none: who asks from this machine, but in production that may be its proxy."""
    if token := settings.KANPU_METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    return not settings.PRODUCTION and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
