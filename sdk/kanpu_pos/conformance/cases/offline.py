"""What hours without a network bring: late records, any order, gaps that fill, big batches."""

import json
from collections.abc import Iterator

from kanpu_pos.conformance.answers import stands, took
from kanpu_pos.conformance.expecting import equal, field
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.registry import case

GROUP = "offline"
SOURCE = "Time"


@case(
    GROUP,
    "Records come in any order, and what is missing is named until it has come",
    source="Reporting purchases, seq",
)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sales = {seq: kit.sale(terminal, seq=seq) for seq in range(1, 8)}
    stands(took(kit.report(terminal, sales[7], sales[3]), accepted=2), 8, [[1, 2], [4, 6]])
    stands(took(kit.report(terminal, sales[5]), accepted=1), 8, [[1, 2], [4, 4], [6, 6]])
    equal("missing, read back", [[1, 2], [4, 4], [6, 6]], field(kit.state(terminal.code), "missing"))
    stands(took(kit.report(terminal, sales[6], sales[4], sales[2], sales[1]), accepted=4), 8, [])


@case(GROUP, "At most a hundred missing ranges are named", source="Reporting purchases, the answer")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sales = [kit.sale(terminal, seq=seq) for seq in range(2, 304, 2)]
    answer = took(kit.report(terminal, *sales), accepted=len(sales))
    stands(answer, 303, [[seq, seq] for seq in range(1, 201, 2)])


@case(
    GROUP, "A return, a void and a correction that come before their sale wait for it", source="Reading back, enrolling"
)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale, other = kit.sale(terminal, card="standard"), kit.sale(terminal, card="standard")
    back = kit.following("return", terminal, sale, lines=[kit.line(80)])
    corrected = kit.following("correction", terminal, sale, lines=[kit.line(1000)])
    void = kit.following("void", terminal, other)
    kit.reported(terminal, back, corrected, void)
    for record in (back, corrected, void):
        kit.becomes(terminal, record, "waiting")
    kit.reported(terminal, other, sale)
    for record in (back, corrected, void, sale):
        kit.becomes(terminal, record, "counted")
    kit.becomes(terminal, other, "voided")


@case(GROUP, "A thousand records in one zipped batch are taken, and again without harm", source="Reporting purchases")
def _(kit: Kit) -> None:
    terminal = kit.terminal(sealed=True)
    records = [kit.unused(terminal) for _ in range(1000)]
    body = terminal.batch(*records)
    stands(took(kit.link.post("/v1/purchases", body, zipped=True), accepted=1000), 1001, [])
    took(kit.link.post("/v1/purchases", body, zipped=True), accepted=0, duplicates=1000)
    terminal.keep(*records)


@case(GROUP, "A body that comes in chunks, its length unknown, is read", source="Reporting purchases")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal)

    def chunks() -> Iterator[bytes]:
        text = json.dumps(terminal.batch(sale)).encode()
        yield text[:20]
        yield text[20:]

    took(kit.link.post("/v1/purchases", chunks()), accepted=1)


@case(GROUP, "A sale of days ago is taken as one of today", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    now, days_ago = kit.at(), kit.at(later_s=-3 * 86_400)
    late = kit.sale(terminal, card="standard", at=days_ago if days_ago[:4] == now[:4] else now)
    took(kit.report(terminal, late), accepted=1)
    kit.becomes(terminal, late, "counted")
