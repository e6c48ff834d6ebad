"""What each field of the POS protocol may hold, checked before anything leaves the till."""

import re
from datetime import datetime
from typing import Final, TypeAlias

from kanpu_pos.errors import KanpuPosError

MAX_SEQ: Final = 2**31 - 1
MAX_AMOUNT_MINOR: Final = 10**12
MAX_TOTAL_MINOR: Final = 10**18  # of a closing, either way: fits 64 bits
MAX_LINES: Final = 50

Lines: TypeAlias = tuple[tuple[str, int], ...]  # pairs of tier code and amount in minor units
Of: TypeAlias = tuple[str, int]  # (terminal, seq) of an earlier record

_TERMINAL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_TIER = re.compile(r"[a-z][a-z0-9_]{0,31}")
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
# The last character carries fewer than six bits; the spare ones are zero in the canonical spelling.
_CARD_TOKEN = re.compile(r"kt1\.[A-Za-z0-9_-]{113}[AQgw]")
_CLAIM = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


class FieldError(KanpuPosError, ValueError):
    """A value that the protocol does not allow; `param` names the field, such as `lines[1].amount`."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(param, message)
        self.param = param
        self.message = message

    def __str__(self) -> str:
        return f"{self.param}: {self.message}"


def check_terminal(terminal: str, *, param: str = "terminal") -> None:
    """Raise FieldError unless `terminal` is a terminal code."""
    if not (isinstance(terminal, str) and _TERMINAL.fullmatch(terminal)):
        raise FieldError(param, f"{terminal!r} is not a terminal code: [a-z0-9][a-z0-9-]{{0,62}}")


def check_seq(seq: int, *, param: str = "seq") -> None:
    """Raise FieldError unless `seq` is an integer from 1 to 2**31-1; a bool is none."""
    if not (type(seq) is int and 1 <= seq <= MAX_SEQ):
        raise FieldError(param, f"{seq!r} is not an integer from 1 to {MAX_SEQ}")


def check_of(of: Of) -> None:
    """Raise FieldError unless `of` is the (terminal, seq) of a record."""
    if not (isinstance(of, tuple) and len(of) == 2):
        raise FieldError("of", f"{of!r} is not a pair of terminal and seq")
    check_terminal(of[0], param="of.terminal")
    check_seq(of[1], param="of.seq")


def check_year(year: int) -> None:
    """Raise FieldError unless `year` is a calendar year."""
    if not (type(year) is int and 1 <= year <= 9999):
        raise FieldError("year", f"{year!r} is not a year from 1 to 9999")


def check_tier(tier: str, *, param: str) -> None:
    """Raise FieldError unless `tier` has the form of a tier code; whether it is in force is the server's."""
    if not (isinstance(tier, str) and _TIER.fullmatch(tier)):
        raise FieldError(param, f"{tier!r} is not a tier code: [a-z][a-z0-9_]{{0,31}}")


def check_amount(amount_minor: int, *, param: str) -> None:
    """Raise FieldError unless `amount_minor` is an integer of minor units from 1 to 10**12, no bool."""
    if not (type(amount_minor) is int and 1 <= amount_minor <= MAX_AMOUNT_MINOR):
        raise FieldError(param, f"{amount_minor!r} is not an integer of minor units from 1 to {MAX_AMOUNT_MINOR}")


def check_lines(lines: Lines) -> None:
    """Raise FieldError unless `lines` are 1 to 50 pairs of a tier, each tier once, and an amount."""
    if not (isinstance(lines, tuple) and 1 <= len(lines) <= MAX_LINES):
        raise FieldError("lines", f"give a tuple of 1 to {MAX_LINES} pairs of tier and amount")
    _check_tiers(lines, "lines")
    for index, (_, amount_minor) in enumerate(lines):
        check_amount(amount_minor, param=f"lines[{index}].amount")


def check_totals(totals: Lines) -> None:
    """Raise FieldError unless `totals` are at most 50 pairs of a tier, each tier once, and an integer."""
    if not (isinstance(totals, tuple) and len(totals) <= MAX_LINES):
        raise FieldError("totals", f"give a tuple of at most {MAX_LINES} pairs of tier and amount")
    _check_tiers(totals, "totals")
    for index, (_, total_minor) in enumerate(totals):
        if not (type(total_minor) is int and abs(total_minor) <= MAX_TOTAL_MINOR):
            raise FieldError(f"totals[{index}].amount", f"{total_minor!r} is not an integer of at most 10**18")


def _check_tiers(pairs: Lines, param: str) -> None:
    seen: set[str] = set()
    for index, pair in enumerate(pairs):
        if not (isinstance(pair, tuple) and len(pair) == 2):
            raise FieldError(f"{param}[{index}]", f"{pair!r} is not a pair of tier and amount")
        check_tier(pair[0], param=f"{param}[{index}].tier")
        if pair[0] in seen:
            raise FieldError(f"{param}[{index}].tier", f"{pair[0]!r} stands twice: add its amounts up")
        seen.add(pair[0])


def check_card_token(token: str) -> None:
    """Raise FieldError unless `token` has the form of a kt1 token: 118 characters, canonical base64url."""
    if not (isinstance(token, str) and _CARD_TOKEN.fullmatch(token)):
        raise FieldError("card", "not a card token: 'kt1.' and 114 characters of canonical base64url")


def check_claim(claim: str) -> None:
    """Raise FieldError unless `claim` has the form of a SHA-256 in canonical base64url: 43 characters."""
    if not (isinstance(claim, str) and _CLAIM.fullmatch(claim)):
        raise FieldError("claim", "not a claim: 43 characters of canonical base64url, the SHA-256 of 16 bytes")


def parse_time(text: str, *, param: str) -> datetime:
    """Return the aware time that RFC 3339 `text` says; FieldError when it is none, or has no offset."""
    if isinstance(text, str) and _RFC3339.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:  # the 30th of February, or a second 60
            pass
    raise FieldError(param, f"{text!r} is not an RFC 3339 time with an offset, such as 2017-04-03T09:30:00+09:00")


def time_text(at: datetime | str, *, param: str) -> str:
    """Return `at` in RFC 3339: a string as it came, an aware datetime in its offset; or raise FieldError."""
    if isinstance(at, datetime):
        at = at.isoformat()
    parse_time(at, param=param)
    return at
