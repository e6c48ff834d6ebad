"""Amounts as people type them: 1000, 1,000, ¥1,000, １０００円, 12.50. Pure."""

import re
import unicodedata
from typing import Final

AMOUNT: Final = re.compile(r"(\d{1,13})(?:\.(\d{1,4}))?", re.ASCII)
AROUND: Final = "¥円€$ "


def amount_minor_of(text: str, digits: int) -> int | None:
    """The amount that somebody typed, in minor units of a currency with so many digits; None where it is none."""
    plain = unicodedata.normalize("NFKC", text).replace(",", "").replace("、", "").strip(AROUND)
    match = AMOUNT.fullmatch(plain)
    if match is None or len(match[2] or "") > digits:
        return None
    return int(match[1] + (match[2] or "").ljust(digits, "0"))
