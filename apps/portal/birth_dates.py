"""Birth dates as people type them: 1990-04-01, 19900401, 平成2年4月1日, H2.4.1. Pure."""

import re
import unicodedata
from datetime import date
from typing import Final

BEFORE_ERA: Final = {
    "明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018,
    "M": 1867, "T": 1911, "S": 1925, "H": 1988, "R": 2018, "": 0,
}  # fmt: skip
SEPARATED: Final = re.compile(
    rf"({'|'.join(BEFORE_ERA)})\s*(\d{{1,4}}|元)\s*[年./-]\s*(\d{{1,2}})\s*[月./-]\s*(\d{{1,2}})\s*日?", re.ASCII
)
TOGETHER: Final = re.compile(r"()(\d{4})(\d{2})(\d{2})", re.ASCII)


def birth_date_of(text: str) -> date | None:
    """The date that somebody typed, in any width; None where it is none."""
    plain = unicodedata.normalize("NFKC", text).strip().upper()
    match = TOGETHER.fullmatch(plain) or SEPARATED.fullmatch(plain)
    if match is None:
        return None
    era, year, month, day = match.groups()
    full_year = BEFORE_ERA[era] + (1 if year == "元" else int(year))
    try:
        return date(full_year, int(month), int(day)) if full_year > BEFORE_ERA["明治"] else None
    except ValueError:
        return None
