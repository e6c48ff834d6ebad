"""Files that people send, held in memory: nothing of them is written to a disk in clear."""

import io
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest

FORM_MAX_BYTES: Final = 2**16  # what stands beside the file in a form


class InMemory(MemoryFileUploadHandler):
    """Keeps files of up to `most_bytes` in memory, and none anywhere else.

    Of a request that is larger, a file has no content and the request's size: so its form refuses it by that. A view
    that says so before its form is read looks at the form's token itself (csrf_exempt, then csrf_protect).
    """

    def __init__(self, request: HttpRequest, most_bytes: int) -> None:
        super().__init__(request)
        self.most_bytes, self.sent_bytes = most_bytes, 0

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *rest: Any) -> None:  # noqa: ARG002,N803
        """Whether the whole request is small enough."""
        self.sent_bytes = content_length
        self.activated = content_length <= self.most_bytes + FORM_MAX_BYTES

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Keep a piece, or let it go."""
        return super().receive_data_chunk(raw_data, start) if self.activated else None

    def file_complete(self, file_size: int) -> UploadedFile:  # type: ignore[type-arg]  # of bytes
        """The file."""
        return super().file_complete(file_size) or UploadedFile(io.BytesIO(), self.file_name, size=self.sent_bytes)
