"""What everybody may have of the audit log: the key, signed checkpoints, and that one is the beginning of another."""

from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from apps.audit.queries.log import checkpoint, consistency, log_size, published_key

TEXT: Final = "text/plain; charset=utf-8"
MOST: Final = 2**63 - 1
NOTHING: Final = "No checkpoint was signed yet, or none of that many entries.\n"


@require_safe
@cache_control(public=True, max_age=300)
def key(_request: HttpRequest) -> HttpResponse:
    """The public key of checkpoints, PEM."""
    pem = published_key()
    return HttpResponse(pem, content_type="application/x-pem-file") if pem else _nothing()


@require_safe
@cache_control(public=True, max_age=30)
def newest(request: HttpRequest) -> HttpResponse:
    """The newest checkpoint as a signed note; with `size` the one of that many entries."""
    found = checkpoint(_size(request, "size"))
    return HttpResponse(found.note, content_type=TEXT) if found else _nothing()


@require_safe
@cache_control(public=True, max_age=300)
def consistent(request: HttpRequest) -> HttpResponse:
    """The proof that the checkpoint of `old` entries is the beginning of the one of `size`: RFC 9162, 2.1.4."""
    old, new = (checkpoint(size) for size in (_size(request, "old"), _size(request, "size")))
    if old is None or new is None or not old.size <= new.size <= log_size():
        return JsonResponse({"error": "Give the sizes of two checkpoints: ?old=…&size=…"}, status=404)
    path = consistency(old.size, new.size)
    return JsonResponse(
        {
            "old": {"size": old.size, "root": bytes(old.root).hex()},
            "new": {"size": new.size, "root": bytes(new.root).hex()},
            "hashes": [node.hex() for node in path],
        }
    )


def _nothing() -> HttpResponse:
    return HttpResponse(NOTHING, content_type=TEXT, status=404)


def _size(request: HttpRequest, name: str) -> int | None:
    """A size that was given; -1, which no checkpoint has, for what is none."""
    given = request.GET.get(name)
    if given is None:
        return None
    return int(given) if given.isascii() and given.isdigit() and len(given) < 20 and int(given) <= MOST else -1
