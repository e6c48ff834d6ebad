"""`closings.json`: the records of a terminal, and what its closing must say after them, reckoned by hand."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from fixed import TERMINAL
from kanpu_pos.fields import Lines
from kanpu_pos.records import Closing, Correction, Record, Return, Sale, Unused, Void, line

_DAY: Final = "2017-04-03T09:30:00+09:00"
_Totals = Mapping[int, Mapping[str, int]]  # year: tier: amount


class _Case(NamedTuple):
    name: str
    records: list[Record]
    totals: _Totals


def closings_document() -> dict[str, Any]:
    """Return `closings.json`."""
    return {
        "about": "Each closing comes after all the records, which are the terminal's from seq 1 on, and gives the "
        "totals of its year: sales less the terminal's own returns, voids and corrections, each in the year of its own "
        "`at` in the time zone, whatever became of it. A tier at 0 may be left out; here it is written.",
        "time_zone": "Asia/Tokyo",
        "terminal": TERMINAL,
        "cases": [_row(case) for case in (*_sales(), *_returns_and_voids(), *_corrections(), *_years())],
    }


def _row(case: _Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "records": [
            {"seq": record.seq, "json": record.to_json().decode(), "line": line(record)} for record in case.records
        ],
        "closings": [
            {"year": year, "totals": [{"tier": tier, "amount": amount} for tier, amount in totals.items()]}
            for year, totals in case.totals.items()
        ],
    }


def _sales() -> list[_Case]:
    closing = Closing(seq=2, at=_DAY, year=2017, totals=(("reduced", 1080),))
    return [
        _Case("nothing sold", [Unused(seq=1, at=_DAY)], {2017: {}}),
        _Case(
            "sales, each of its tiers",
            [_sale(1, reduced=1080, standard=550), _sale(2, reduced=540)],
            {2017: {"reduced": 1620, "standard": 550}},
        ),
        _Case(
            "a closing and an unused number change nothing",
            [_sale(1, reduced=1080), closing, Unused(seq=3, at=_DAY), _sale(4, reduced=20)],
            {2017: {"reduced": 1100}},
        ),
        _Case(
            "a sale that is refused for its tier counts all the same",
            [_sale(1, no_such_tier=300), _sale(2, reduced=1)],
            {2017: {"no_such_tier": 300, "reduced": 1}},
        ),
    ]


def _returns_and_voids() -> list[_Case]:
    sold = _sale(1, reduced=1000, standard=500)
    back = _return(2, 1, reduced=300)
    return [
        _Case("a return", [sold, back], {2017: {"reduced": 700, "standard": 500}}),
        _Case(
            "a return of what another till sold",
            [Return(seq=1, at=_DAY, of=("osaka-0042-1", 7), lines=(("reduced", 300),))],
            {2017: {"reduced": -300}},
        ),
        _Case("a return of more than was sold", [sold, _return(2, 1, reduced=1200)],
              {2017: {"reduced": -200, "standard": 500}}),
        _Case("a return of a number that is no sale", [Unused(seq=1, at=_DAY), back], {2017: {"reduced": -300}}),
        _Case("a void", [sold, _void(2, 1)], {2017: {"reduced": 0, "standard": 0}}),
        _Case("a void takes what a return has left", [sold, back, _void(3, 1)], {2017: {"reduced": 0, "standard": 0}}),
        _Case("a void of a return", [sold, back, _void(3, 2)], {2017: {"reduced": 1000, "standard": 500}}),
        _Case(
            "a void of a return, then of its sale",
            [sold, back, _void(3, 2), _void(4, 1)],
            {2017: {"reduced": 0, "standard": 0}},
        ),
        _Case("a second void", [sold, _void(2, 1), _void(3, 1)], {2017: {"reduced": 0, "standard": 0}}),
        _Case("a void of a number that is neither", [Unused(seq=1, at=_DAY), _void(2, 1)], {2017: {}}),
        _Case(
            "a return of a sale that is void",
            [sold, _void(2, 1), _return(3, 1, reduced=300)],
            {2017: {"reduced": -300, "standard": 0}},
        ),
    ]  # fmt: skip


def _corrections() -> list[_Case]:
    sold = _sale(1, reduced=1000)
    back = _return(2, 1, reduced=300)
    return [
        _Case("a correction", [sold, _correct(2, 1, reduced=900, standard=80)],
              {2017: {"reduced": 900, "standard": 80}}),
        _Case("a correction to another tier", [sold, _correct(2, 1, standard=1000)],
              {2017: {"reduced": 0, "standard": 1000}}),
        _Case("the later of two corrections", [sold, _correct(2, 1, reduced=900), _correct(3, 1, reduced=950)],
              {2017: {"reduced": 950}}),
        _Case("a correction of a return", [sold, back, _correct(3, 2, reduced=250)], {2017: {"reduced": 750}}),
        _Case(
            "a void after a return that was corrected",
            [sold, back, _correct(3, 2, reduced=250), _void(4, 1)],
            {2017: {"reduced": 0}},
        ),
        _Case("a void of what was corrected", [sold, _correct(2, 1, reduced=900), _void(3, 1)], {2017: {"reduced": 0}}),
        _Case(
            "a void of what was corrected twice",
            [sold, _correct(2, 1, reduced=900), _correct(3, 1, reduced=950), _void(4, 1)],
            {2017: {"reduced": 0}},
        ),
        _Case("a correction of what is void", [sold, _void(2, 1), _correct(3, 1, reduced=900)], {2017: {"reduced": 0}}),
    ]  # fmt: skip


def _years() -> list[_Case]:
    new_year = "2018-01-01T00:05:00+09:00"
    old = (TERMINAL, 1)
    return [
        _Case(
            "the year is that of the time in Tokyo",
            [
                _sale(1, at="2017-12-31T23:59:59+09:00", reduced=1),
                _sale(2, at="2017-12-31T14:59:59Z", reduced=2),
                _sale(3, at="2017-12-31T15:00:00Z", reduced=4),
                _sale(4, at="2018-01-01T00:00:00+09:00", reduced=8),
                _sale(5, at="2017-12-31T10:00:00-05:00", reduced=16),
            ],
            {2017: {"reduced": 3}, 2018: {"reduced": 28}},
        ),
        _Case(
            "a void after the year's end changes the year of the void",
            [_sale(1, reduced=1000), Void(seq=2, at=new_year, of=old)],
            {2017: {"reduced": 1000}, 2018: {"reduced": -1000}},
        ),
        _Case(
            "a correction changes the year of its own time, whatever time it mends",
            [
                _sale(1, reduced=1000),
                Correction(seq=2, at=new_year, of=old, lines=(("reduced", 900),), sold_at="2017-04-03T09:00:00+09:00"),
            ],
            {2017: {"reduced": 1000}, 2018: {"reduced": -100}},
        ),
        _Case(
            "a return after the year's end, and the void of its sale",
            [_sale(1, reduced=1000), _return(2, 1, at=new_year, reduced=300), Void(seq=3, at=new_year, of=old)],
            {2017: {"reduced": 1000}, 2018: {"reduced": -1000}},
        ),
    ]


def _lines(amounts: dict[str, int]) -> Lines:
    return tuple(amounts.items())


def _sale(seq: int, *, at: str = _DAY, **amounts: int) -> Sale:
    return Sale(seq=seq, at=at, lines=_lines(amounts))


def _return(seq: int, of_seq: int, *, at: str = _DAY, **amounts: int) -> Return:
    return Return(seq=seq, at=at, of=(TERMINAL, of_seq), lines=_lines(amounts))


def _void(seq: int, of_seq: int) -> Void:
    return Void(seq=seq, at=_DAY, of=(TERMINAL, of_seq))


def _correct(seq: int, of_seq: int, **amounts: int) -> Correction:
    return Correction(seq=seq, at=_DAY, of=(TERMINAL, of_seq), lines=_lines(amounts))
