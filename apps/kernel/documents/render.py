"""Setting documents as PDF, whichever app's they are.

The files are tagged for readers of every kind (PDF/UA-1) and carry their fonts, which come with Python packages: what
the machine has installed does not matter. The same data makes the same bytes: the date of a document comes with its
data, never from the clock. Data reaches the templates as JSON, so no name or address is ever markup.

A page takes some 20 ms. Threads may make documents side by side.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import segno
import typst

from apps.kernel.errors import KanpuError

Language = Literal["ja", "en"]
APPS: Final = Path(__file__).parents[2]  # templates import each other by their path from here
FONT_PACKAGES: Final = ("noto_cjk_sans_jp_regular", "noto_cjk_sans_jp_bold")


class DocumentUnprintable(KanpuError):
    """The document cannot be set, mostly because no font has a character of a name. The error names the text."""

    code = "document_unprintable"


def pdf(template: Path, data: Mapping[str, Any]) -> bytes:
    """A template below `apps` with its data, as PDF/UA-1. Raises DocumentUnprintable."""
    try:
        return typst.compile(
            template,
            root=APPS,
            font_paths=_fonts(),
            format="pdf",
            pdf_standards="ua-1",
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        )
    except typst.TypstError as error:
        raise DocumentUnprintable(f"{error.message}: write that text with other characters") from error


def qr_svg(text: str) -> str:
    """A text as a QR code (ISO/IEC 18004), a drawing that templates take as an image."""
    drawn = BytesIO()
    segno.make(text, micro=False, error="m").save(drawn, kind="svg", xmldecl=False, border=4)
    return drawn.getvalue().decode()


@cache
def _fonts() -> typst.Fonts:
    """The fonts of the packages, and the monospaced one that typst brings; none of the machine's."""
    return typst.Fonts(include_system_fonts=False, font_paths=[str(files(package)) for package in FONT_PACKAGES])
