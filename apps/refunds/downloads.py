"""Files that a browser saves."""

from django.http import HttpResponse

from apps.refunds.documents.files import File


def saved(file: File) -> HttpResponse:
    """A file to keep."""
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return HttpResponse(file.content, content_type=file.content_type, headers=headers)
