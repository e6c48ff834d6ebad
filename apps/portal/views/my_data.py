"""All the resident's data, as one file."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.portal.guard import fresh_sign_in, resident_page
from apps.portal.operations.my_data import take_all
from apps.portal.queries.my_data import TABLES
from apps.portal.viewer import Right, Viewer


@require_safe
@resident_page(Right.SELF)
def my_data(request: HttpRequest, _viewer: Viewer) -> HttpResponse:
    """What the file holds, before it is asked for."""
    return render(request, "portal/my_data.html", {"tables": TABLES})


@require_POST
@resident_page(Right.SELF)
@fresh_sign_in
def download(_request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The file."""
    now = timezone.now()
    name = f"kanpu-my-data-{timezone.localdate(now):%Y%m%d}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(take_all(viewer, at=now), content_type="application/zip", headers=headers)  # type: ignore[return-value]
