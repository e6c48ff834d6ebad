"""What everybody may see of approved runs: the roots that statements are checked against."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.refunds.queries.runs import published_runs


@require_safe
def published(request: HttpRequest) -> HttpResponse:
    """The roots and digests of all approved runs."""
    return render(request, "portal/published.html", {"runs": published_runs()})


@require_safe
def published_json(_request: HttpRequest) -> HttpResponse:
    """The same for machines."""
    return JsonResponse({"runs": [run._asdict() for run in published_runs()]})
