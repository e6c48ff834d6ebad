"""The checker of statements and packs as one file that Python runs: `python kanpu_verify.pyz FILE`. Pure.

The same sources make the same bytes: names in order, one date, nothing compressed.
"""

from functools import cache
from importlib.resources import files
from io import BytesIO
from zipfile import ZipFile, ZipInfo

MAIN = "import sys\nfrom kanpu_verify.__main__ import main\nsys.exit(main())\n"


@cache
def verifier_zip() -> bytes:
    """A zip with `__main__.py`, which Python runs (PEP 441), made from the installed checker."""
    sources = {f.name: f.read_bytes() for f in files("kanpu_verify").iterdir() if f.name.endswith(".py")}
    written = BytesIO(b"#!/usr/bin/env python3\n")
    written.seek(0, 2)
    with ZipFile(written, "a") as archive:
        archive.writestr(ZipInfo("__main__.py"), MAIN)
        for name in sorted(sources):
            archive.writestr(ZipInfo(f"kanpu_verify/{name}"), sources[name])
    return written.getvalue()
