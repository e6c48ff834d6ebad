"""The order that goes to the post office, and the results that come back: a line each, fields between semicolons. Pure.

An order, `kanpu-letters;1;DATE;SHA-256 of the printed letters`, has a line for each letter: reference, SHA-256 of its
code, amount, last day. Results, `kanpu-letter-results;1`, have reference, amount and result. Both end with
`end;COUNT;SUM`.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import IO, Final, NamedTuple

from apps.payouts.outcomes import PAID, RETURNED
from apps.payouts.zengin.reading import Problem

ORDER: Final = "kanpu-letters"
RESULTS: Final = "kanpu-letter-results"
VERSION: Final = "1"
END: Final = "end"
LONGEST_LINE: Final = 400
# What the post office says of a letter: it paid, the last day is over, or nobody lives there.
SAYS: Final = {"paid": PAID, "expired": RETURNED, "undeliverable": RETURNED}


class Order(NamedTuple):
    """A letter as the post office knows it."""

    reference: str
    code_sha256: str
    amount_minor: int
    valid_until_date: date


class Result(NamedTuple):
    """What became of a letter: its line in the file, and one of `SAYS`."""

    line: int
    reference: str
    amount_minor: int
    said: str


@dataclass(slots=True)
class _Seen:
    count: int = 0
    sum_minor: int = 0
    is_ended: bool = False


def code_sha256(code: str) -> bytes:
    """What is kept of a code, and what the post office compares with. 80 random bits cannot be guessed: no salt."""
    return hashlib.sha256(f"kanpu payable letter v1\n{code}".encode()).digest()


def order_lines(orders: Iterable[Order], on: date, letters_sha256: str) -> Iterator[str]:
    """The lines of an order."""
    yield f"{ORDER};{VERSION};{on};{letters_sha256}"
    count = total = 0
    for one in orders:
        count, total = count + 1, total + one.amount_minor
        yield f"{one.reference};{one.code_sha256};{one.amount_minor};{one.valid_until_date}"
    yield f"{END};{count};{total}"


def letters_sha256(order: str) -> str:
    """The SHA-256 of the printed letters that an order names, in hex; "" where it is none."""
    parts = order.partition("\n")[0].split(";")
    return parts[3] if len(parts) == 4 and parts[0] == ORDER else ""


def result_lines(results: Iterable[tuple[str, int, str]]) -> Iterator[str]:
    """The lines of a result file, from reference, amount and result."""
    yield f"{RESULTS};{VERSION}"
    count = total = 0
    for reference, amount_minor, said in results:
        count, total = count + 1, total + amount_minor
        yield f"{reference};{amount_minor};{said}"
    yield f"{END};{count};{total}"


def read_results(file: IO[bytes]) -> Iterator[Result | Problem]:
    """The results of a file, and what is wrong with it, in the file's order; what is missing is told at the end."""
    seen, line = _Seen(), 0
    while raw := file.readline(LONGEST_LINE):
        line += 1
        if found := _read(line, raw.decode("ascii", "replace").strip().split(";"), seen):
            yield found
    if not seen.is_ended:
        yield Problem(line, "cut", "The file has no last line: it was cut.")


def _read(line: int, parts: list[str], seen: _Seen) -> Result | Problem | None:
    match parts:
        case [kind, version] if line == 1 and (kind, version) == (RESULTS, VERSION):
            return None
        case [kind, count, total] if kind == END and not seen.is_ended:
            seen.is_ended = True
            adds_up = (count, total) == (str(seen.count), str(seen.sum_minor))
            return None if adds_up else Problem(line, "does_not_add_up", "Count and sum are not those of the lines.")
        case [_, _, _] if seen.is_ended:
            return Problem(line, "out_of_place", "A result after the last line.")
        case [reference, amount, said] if reference.isdecimal() and amount.isdecimal():
            seen.count, seen.sum_minor = seen.count + 1, seen.sum_minor + int(amount)
            if said in SAYS:
                return Result(line, reference, int(amount), said)
            return Problem(line, "result_unknown", f"The post office has no result {said[:20]!r}.")
    return Problem(line, "record_unreadable", "Not a line of results.")
