"""Returns, voids, corrections and unused numbers, and what workers make of them."""

from kanpu_pos.conformance.answers import stands, took
from kanpu_pos.conformance.expecting import true
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.registry import case

GROUP = "kinds"
SOURCE = "Reporting purchases, kind"


@case(GROUP, "A return of a part of a sale is counted", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard")
    back = kit.following("return", terminal, sale, lines=[kit.line(540)])
    kit.reported(terminal, sale, back)
    kit.becomes(terminal, back, "counted")
    kit.becomes(terminal, sale, "counted")


@case(GROUP, "A return at another till of the merchant is counted", source=SOURCE)
def _(kit: Kit) -> None:
    here, there = kit.terminal(), kit.terminal()
    sale = kit.sale(here, card="standard")
    kit.reported(here, sale)
    back = kit.following("return", there, {"terminal": here.code, "seq": 1}, lines=[kit.line(540)])
    kit.reported(there, back)
    kit.becomes(there, back, "counted")


@case(
    GROUP,
    "A return of more than is left is rejected, and says what is left",
    source="Reporting purchases, what workers decide",
)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard")
    first = kit.following("return", terminal, sale, lines=[kit.line(1000)])
    second = kit.following("return", terminal, sale, lines=[kit.line(81)])
    kit.reported(terminal, sale, first, second)
    kit.becomes(terminal, first, "counted")
    row = kit.becomes(terminal, second, "rejected", "return_exceeds_sale")
    true("a message that says that 80 is left", "80" in row["error"]["message"], row["error"])


@case(GROUP, "A void takes what is left of a sale, and a second void is already_void", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard")
    first, second = (kit.following("void", terminal, sale) for _ in range(2))
    kit.reported(terminal, sale, first, second)
    kit.becomes(terminal, first, "counted")
    kit.becomes(terminal, second, "rejected", "already_void")
    kit.becomes(terminal, sale, "voided")


@case(GROUP, "A void of a return gives back what could be returned", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard")
    back = kit.following("return", terminal, sale, lines=[kit.line(1080)])
    void = kit.following("void", terminal, back)
    again = kit.following("return", terminal, sale, lines=[kit.line(1080)])
    kit.reported(terminal, sale, back, void, again)
    kit.becomes(terminal, back, "voided")
    kit.becomes(terminal, again, "counted")


@case(GROUP, "A correction gives all lines anew, and both versions stay visible", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard")
    corrected = kit.following("correction", terminal, sale, lines=[kit.line(900), kit.line(180, tier=1)])
    kit.reported(terminal, sale, corrected)
    row = kit.becomes(terminal, corrected, "counted")
    true("the corrected lines", row["lines"] == corrected["lines"], row)
    row = kit.becomes(terminal, sale, "counted")
    true("the lines as first sent", row["lines"] == sale["lines"], row)


@case(GROUP, "A correction of a return changes what is left of its sale", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard")
    back = kit.following("return", terminal, sale, lines=[kit.line(1000)])
    corrected = kit.following("correction", terminal, back, lines=[kit.line(100)])
    again = kit.following("return", terminal, sale, lines=[kit.line(980)])
    kit.reported(terminal, sale, back, corrected, again)
    for record in (back, corrected, again):
        kit.becomes(terminal, record, "counted")


@case(GROUP, "A correction mends a sale that was rejected for its lines", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard", lines=[{"tier": "no_such_tier", "amount": 1080}])
    took(kit.report(terminal, sale), accepted=0, rejected=((0, "tier_unknown"),))
    corrected = kit.following("correction", terminal, sale, lines=[kit.line(1080)])
    kit.reported(terminal, corrected)
    kit.becomes(terminal, corrected, "counted")
    kit.becomes(terminal, sale, "counted")


@case(GROUP, "A correction with sold_at mends a wrong clock", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard", at="1970-01-01T00:00:00+09:00")
    took(kit.report(terminal, sale), accepted=0, rejected=((0, "year_not_open", "at"),))
    corrected = kit.following("correction", terminal, sale, lines=[kit.line(1080)], sold_at=kit.at())
    kit.reported(terminal, corrected)
    kit.becomes(terminal, sale, "counted")


@case(GROUP, "A return, void or correction of what is neither sale nor return is rejected", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    unused = kit.unused(terminal)
    records = [
        kit.following("return", terminal, unused, lines=[kit.line(1)]),
        kit.following("void", terminal, unused),
        kit.following("correction", terminal, unused, lines=[kit.line(1)]),
    ]
    kit.reported(terminal, unused, *records)
    for record in records:
        kit.becomes(terminal, record, "rejected", "of_not_a_sale")


@case(GROUP, "What is named has to be the merchant's, and for a void or a correction the terminal's own", source=SOURCE)
def _(kit: Kit) -> None:
    terminal, other = kit.terminal(), kit.terminal()
    sale = kit.sale(other, card="standard")
    kit.reported(other, sale)
    theirs, nobodys = {"terminal": other.code, "seq": 1}, {"terminal": kit.new_terminal(sealed=False).code, "seq": 1}
    records = [
        kit.following("return", terminal, nobodys, lines=[kit.line(1)]),
        kit.following("void", terminal, theirs),
        kit.following("correction", terminal, theirs, lines=[kit.line(1)]),
    ]
    took(
        kit.report(terminal, *records),
        accepted=0,
        rejected=tuple((index, "record_malformed", "of.terminal") for index in range(3)),
    )


@case(GROUP, "An unused number is no gap", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    answer = took(kit.report(terminal, kit.sale(terminal), kit.unused(terminal), kit.sale(terminal)), accepted=3)
    stands(answer, 4, [])
