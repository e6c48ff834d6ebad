"""Closings: compared with the terminal's records, once none is missing."""

from typing import Any

from kanpu_pos.conformance.answers import took
from kanpu_pos.conformance.expecting import equal, field, true
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.registry import case
from kanpu_pos.conformance.terminals import Json, TestTerminal

GROUP = "closings"
SOURCE = "Reporting purchases, closing"


def compared(kit: Kit, terminal: TestTerminal, closing: Json) -> Any:
    """The terminal's last closing, once it has been compared."""

    def attempt() -> Any:
        last = field(kit.state(terminal.code), "last_closing")
        return last if last and last.get("seq") == closing["seq"] and last.get("agrees") is not None else None

    return kit.until(f"the closing {closing['seq']} to be compared", attempt)


@case(GROUP, "A closing of sales less returns, voids and corrections agrees, whatever became of them", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    first, second, third = kit.sale(terminal), kit.sale(terminal), kit.sale(terminal)
    refused = kit.sale(terminal, lines=[{"tier": "no_such_tier", "amount": 300}])
    records = [
        kit.following("return", terminal, first, lines=[kit.line(80)]),
        kit.following("void", terminal, second),
        kit.following("correction", terminal, third, lines=[kit.line(500), kit.line(70, tier=1)]),
        kit.unused(terminal),
    ]
    took(kit.report(terminal, first, second, third, refused, *records), accepted=7, rejected=((3, "tier_unknown"),))
    totals = [kit.line(1500), kit.line(70, tier=1), {"tier": "no_such_tier", "amount": 300}]
    closing = kit.closing(terminal, *totals)
    kit.reported(terminal, closing)
    last = compared(kit, terminal, closing)
    equal("agrees", True, last["agrees"])
    equal("the year of the closing", closing["year"], field(last, "year"))


@case(GROUP, "A closing that differs says in which tier, what was reported and what is on record", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    closing_of = kit.sale(terminal)
    closing = kit.closing(terminal, kit.line(1081))
    kit.reported(terminal, closing_of, closing)
    last = compared(kit, terminal, closing)
    equal("agrees", False, last["agrees"])
    difference = {"tier": kit.tiers[0], "reported": 1081, "recorded": 1080}
    equal("differences", [difference], field(last, "differences"))


@case(GROUP, "A closing is not compared before the last missing record has come", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    late = kit.sale(terminal)
    closing = kit.closing(terminal, kit.line(1080))
    kit.reported(terminal, closing)
    kit.becomes(terminal, closing, "counted")
    equal("agrees", None, field(kit.state(terminal.code), "last_closing", "agrees"))
    kit.reported(terminal, late)
    equal("agrees", True, compared(kit, terminal, closing)["agrees"])


@case(GROUP, "A closing of a year that was never opened is refused", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    closing = {**kit.closing(terminal), "year": 1970}
    took(kit.report(terminal, closing), accepted=0, rejected=((0, "year_not_open", "year"),))


@case(GROUP, "A closing may be empty or below nothing, and leave out a tier at 0", source=SOURCE)
def _(kit: Kit) -> None:
    empty, below = kit.terminal(), kit.terminal()
    closing = kit.closing(empty)
    kit.reported(empty, closing)
    equal("agrees", True, compared(kit, empty, closing)["agrees"])
    sale = kit.sale(empty, card="standard")
    kit.reported(empty, sale)
    of = {"terminal": empty.code, "seq": sale["seq"]}
    back = kit.following("return", below, of, lines=[kit.line(1080)])
    closing = kit.closing(below, kit.line(-1080), kit.line(0, tier=1))
    kit.reported(below, back, closing)
    equal("agrees", True, compared(kit, below, closing)["agrees"])


@case(GROUP, "A closing shows a lost tail: what the terminal counted and nobody received", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    kit.reported(terminal, kit.sale(terminal))
    closing = kit.closing(terminal, kit.line(2160))
    kit.reported(terminal, closing)
    last = compared(kit, terminal, closing)
    true("a closing that does not agree", last["agrees"] is False, last)
