"""`lines.json`: a record of every kind, its bytes and its canonical line."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from fixed import TERMINAL, fixed_bytes
from kanpu_pos import base64url
from kanpu_pos.fields import MAX_AMOUNT_MINOR, MAX_LINES, MAX_SEQ, MAX_TOTAL_MINOR, Lines
from kanpu_pos.records import Closing, Correction, Record, Return, Sale, Unused, Void, line
from kanpu_pos.token import PREFIX

_TOKYO: Final = timezone(timedelta(hours=9))
_NOON: Final = datetime(2017, 4, 3, 12, 0, tzinfo=_TOKYO)
_TWO: Final[Lines] = (("reduced", 1080), ("food2", 550))
_LONGEST: Final = "9" + "z" * 62


def lines_document() -> dict[str, Any]:
    """Return `lines.json`."""
    return {
        "about": "Records, the bytes this library stores for them (UTF-8), and their canonical line.",
        "records": [
            {
                "name": name,
                "record": json.loads(record.to_json()),
                "json": record.to_json().decode(),
                "line": line(record),
            }
            for name, record in (_sales() | _others()).items()
        ],
    }


def _sales() -> dict[str, Record]:
    """The sales by name; the tokens have the right form but open with no key."""
    card, claim = PREFIX + base64url.encode(bytes(range(85))), base64url.encode(fixed_bytes("claim"))
    return {
        "a sale with a card": Sale(seq=1042, at="2017-04-03T09:30:00+09:00", card=card, lines=_TWO),
        "a sale with a claim": Sale(seq=1043, at="2017-04-03T09:31:00+09:00", claim=claim, lines=_TWO),
        "a sale with neither": Sale(seq=1044, at="2017-04-03T09:32:00+09:00", lines=(("standard", 1),)),
        "lines in the order sent": Sale(seq=1045, at=_NOON, lines=_TWO[::-1]),
        "an aware time in its own offset": Sale(seq=1046, at=_NOON, lines=_TWO),
        "the same moment in UTC": Sale(seq=1046, at=_NOON.astimezone(UTC), lines=_TWO),
        "the same moment with Z, as sent": Sale(seq=1046, at="2017-04-03T03:00:00Z", lines=_TWO),
        "a fraction of a second, as sent": Sale(seq=1047, at="2017-04-03T12:00:00.250+09:00", lines=_TWO),
        "an offset west of UTC": Sale(seq=1048, at="2017-04-02T22:30:00-04:30", lines=_TWO),
        "the largest seq and amount": Sale(seq=MAX_SEQ, at=_NOON, lines=(("z" * 32, MAX_AMOUNT_MINOR),)),
        "the smallest seq and amount": Sale(seq=1, at=_NOON, lines=(("a", 1),)),
        "fifty lines": Sale(seq=2, at=_NOON, lines=tuple((f"tier_{n}", n + 1) for n in range(MAX_LINES))),
    }


def _others() -> dict[str, Record]:
    sale = (TERMINAL, 1042)
    evening = "2017-04-03T21:00:00+09:00"
    totals: Lines = (("reduced", 231540), ("standard", 98200))
    most: Lines = (("reduced", MAX_TOTAL_MINOR), ("standard", -MAX_TOTAL_MINOR))
    return {
        "a return": Return(seq=1049, at=_NOON, of=sale, lines=(("reduced", 540),)),
        "a return to another till": Return(seq=1050, at=_NOON, of=(_LONGEST, MAX_SEQ), lines=_TWO),
        "a void": Void(seq=1051, at=_NOON, of=sale),
        "a correction": Correction(seq=1052, at=_NOON, of=sale, lines=(("food2", 1630),)),
        "a correction of the lines and the time": Correction(
            seq=1053, at=_NOON, of=sale, lines=_TWO, sold_at="2017-04-03T09:25:00+09:00"
        ),
        "a correction with a time in UTC, as sent": Correction(
            seq=1054, at=_NOON, of=sale, lines=_TWO, sold_at="2017-04-03T00:25:00.5Z"
        ),
        "an unused number": Unused(seq=1055, at=_NOON),
        "a closing": Closing(seq=1056, at=evening, year=2017, totals=totals),
        "a closing at 0 and below": Closing(seq=1057, at=evening, year=2017, totals=(("standard", 0), ("food2", -550))),
        "a closing without totals": Closing(seq=1058, at=evening, year=2017, totals=()),
        "a closing of the year before": Closing(seq=1059, at="2018-01-01T00:10:00+09:00", year=2017, totals=totals),
        "the largest totals": Closing(seq=1060, at=evening, year=2017, totals=most),
    }
