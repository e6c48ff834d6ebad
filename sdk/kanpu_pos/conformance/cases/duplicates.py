"""The same record again, and other content under a known number."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from kanpu_pos.conformance.answers import stands, took
from kanpu_pos.conformance.expecting import equal, field
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.link import answered
from kanpu_pos.conformance.registry import case

GROUP = "duplicates and conflicts"
SOURCE = "Reporting purchases, seq"


@case(
    GROUP, "The same batch again, whole or in part, is a 200 with duplicates", source="Reporting purchases, the answer"
)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sales = [kit.sale(terminal, card="standard"), kit.sale(terminal), kit.sale(terminal)]
    took(kit.report(terminal, *sales), accepted=3)
    took(kit.report(terminal, *sales), accepted=0, duplicates=3)
    stands(took(kit.report(terminal, sales[2], kit.sale(terminal)), accepted=1, duplicates=1), 5, [])


@case(GROUP, "Two records are the same when their lines are, whatever their JSON looks like", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal)
    took(kit.report(terminal, sale), accepted=1)
    otherwise = {"note": "x", "kind": "sale", **dict(reversed(sale.items()))}
    took(kit.report(terminal, otherwise), accepted=0, duplicates=1)


@case(GROUP, "Other content under a known number is refused, and the first stays", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal)
    took(kit.report(terminal, sale), accepted=1)
    in_utc = datetime.fromisoformat(sale["at"]).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    others = [
        {**sale, "lines": [kit.line(1)]},
        {**sale, "at": in_utc},
        {"seq": sale["seq"], "at": sale["at"], "kind": "unused"},
    ]
    took(
        kit.report(terminal, *others),
        accepted=0,
        rejected=tuple((index, "seq_conflict", "seq") for index in range(3)),
    )
    took(kit.report(terminal, sale), accepted=0, duplicates=1)
    equal("the lines read back", sale["lines"], kit.row(terminal, sale)["lines"])


@case(GROUP, "A token that is sealed afresh makes another record: a till resends the bytes it stored", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard")
    took(kit.report(terminal, sale), accepted=1)
    again = {**sale, "card": kit.tap("standard", terminal, sale["seq"])}
    took(kit.report(terminal, again), accepted=0, rejected=((0, "seq_conflict"),))
    kit.becomes(terminal, sale, "counted")


@case(GROUP, "A number twice in one batch is judged in the order sent", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal)
    other = {**sale, "lines": [kit.line(1)]}
    took(kit.report(terminal, sale, sale, other), accepted=1, duplicates=1, rejected=((2, "seq_conflict"),))


@case(GROUP, "A refused record has spent its number, and says why again when it comes again", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    bad = kit.sale(terminal, lines=[{"tier": "no_such_tier", "amount": 1}])
    took(kit.report(terminal, bad), accepted=0, rejected=((0, "tier_unknown"),))
    answer = took(kit.report(terminal, bad), accepted=0, duplicates=1)
    equal("the code of the duplicate", "tier_unknown", field(answer, "results", 0, "error", "code"))
    mended = {**bad, "lines": [kit.line(1)]}
    stands(took(kit.report(terminal, mended), accepted=0, rejected=((0, "seq_conflict"),)), 2, [])


@case(GROUP, "The same batch by five connections at once is taken once", source="Reporting purchases, the answer")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sales = [kit.sale(terminal) for _ in range(20)]
    with ThreadPoolExecutor(5) as pool:
        answers = [answered(sent) for sent in pool.map(lambda _: kit.report(terminal, *sales), range(5))]
    equal("accepted in all", 20, sum(field(answer, "accepted") for answer in answers))
    equal("duplicates in all", 80, sum(field(answer, "duplicates") for answer in answers))
