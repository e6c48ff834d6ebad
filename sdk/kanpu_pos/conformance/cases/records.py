"""Sales, good and bad, each on its own merits."""

from datetime import UTC, datetime, timedelta

from kanpu_pos import base64url
from kanpu_pos.claims import claim_hash, new_claim
from kanpu_pos.conformance.answers import stands, took
from kanpu_pos.conformance.expecting import equal
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.registry import case
from kanpu_pos.conformance.terminals import Json
from kanpu_pos.fields import MAX_AMOUNT_MINOR, MAX_LINES

GROUP = "records"
SOURCE = "Reporting purchases"


@case(GROUP, "A sale with a card is accepted, and counted by the workers", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard", lines=[kit.line(1080), kit.line(550, tier=1)])
    stands(took(kit.report(terminal, sale), accepted=1), 2, [])
    row = kit.becomes(terminal, sale, "counted")
    equal("the lines read back", sale["lines"], row["lines"])


@case(GROUP, "A sale with a claim is accepted, and waits to be claimed", source=f"{SOURCE}, claim")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, claim=claim_hash(new_claim()))
    took(kit.report(terminal, sale), accepted=1)
    kit.becomes(terminal, sale, "unclaimed")


@case(GROUP, "A sale with neither card nor claim is accepted", source=f"{SOURCE}, kind")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    took(kit.report(terminal, kit.sale(terminal)), accepted=1)


@case(GROUP, "A record without a kind is a sale, and unknown fields are ignored", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    plain, named = kit.sale(terminal, cashier="Aoki", basket=[{"sku": 4901}]), kit.sale(terminal, kind="sale")
    took(kit.report(terminal, plain, named), accepted=2)
    equal("the kinds read back", ["sale", "sale"], [row["kind"] for row in kit.rows(terminal.code)])


@case(GROUP, "A time may have any offset, and a fraction of a second", source=f"{SOURCE}, at")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    moment = datetime.fromisoformat(kit.at()).astimezone(UTC)
    texts = [
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        moment.strftime("%Y-%m-%dT%H:%M:%S.250+00:00"),
        (moment - timedelta(hours=4, minutes=30)).strftime("%Y-%m-%dT%H:%M:%S-04:30"),
    ]
    took(kit.report(terminal, *(kit.sale(terminal, at=text) for text in texts)), accepted=3)


@case(GROUP, "The largest and the smallest amount are accepted", source=f"{SOURCE}, amount")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    records = [kit.sale(terminal, lines=[kit.line(amount)]) for amount in (1, MAX_AMOUNT_MINOR)]
    took(kit.report(terminal, *records), accepted=2)


@case(GROUP, "Fifty lines are not too many", source=f"{SOURCE}, amount")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    fifty = [kit.line(1), *({"tier": f"no_tier_{n}", "amount": 1} for n in range(MAX_LINES - 1))]
    sale = kit.sale(terminal, lines=fifty)
    took(kit.report(terminal, sale), accepted=0, rejected=((0, "tier_unknown", "lines[1].tier"),))


@case(
    GROUP,
    "A record that cannot be read is refused alone, with the place of the fault",
    source="Reporting purchases, the answer",
)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    faults: list[tuple[str, Json]] = [
        ("at", {"at": "yesterday"}),
        ("at", {"at": kit.at()[:19]}),
        ("lines", {"lines": []}),
        ("lines", {"lines": [{"tier": f"tier_{n}", "amount": 1} for n in range(MAX_LINES + 1)]}),
        ("lines[0].tier", {"lines": [{"tier": "No Tier", "amount": 1}]}),
        ("lines[1].amount", {"lines": [kit.line(1), {"tier": kit.tiers[1], "amount": 1.5}]}),
        ("lines[0].amount", {"lines": [{"tier": kit.tiers[0], "amount": "1080"}]}),
        ("card", {"card": "kt1.short"}),
        ("claim", {"claim": "short"}),
        ("kind", {"kind": "refund"}),
        ("of", {"kind": "return"}),
    ]  # fmt: skip
    records = [kit.sale(terminal) | change for _, change in faults]
    expected = tuple((index, "record_malformed", place) for index, (place, _) in enumerate(faults))
    answer = took(kit.report(terminal, *records, kit.sale(terminal)), accepted=1, rejected=expected)
    stands(answer, len(records) + 2, [])


@case(GROUP, "A tier that stands twice in a record is refused", source=f"{SOURCE}, amount")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    twice = kit.sale(terminal, lines=[kit.line(1), kit.line(2)])
    took(kit.report(terminal, twice), accepted=0, rejected=((0, "record_malformed"),))


@case(GROUP, "A record without a number of its own spends none", source=f"{SOURCE}, seq")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    bad = [{"at": kit.at(), "lines": [kit.line(1)]}, *(kit.sale(terminal, seq=1) | {"seq": n} for n in (0, 2**31, "1"))]
    rejected = tuple((index, "record_malformed") for index in range(4))
    answer = took(kit.report(terminal, *bad, kit.sale(terminal)), accepted=1, rejected=rejected)
    stands(answer, 2, [])


@case(GROUP, "A tier that the scheme has not is refused, and its place named", source="Reporting purchases, the answer")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, lines=[kit.line(1), {"tier": "no_such_tier", "amount": 1}])
    stands(took(kit.report(terminal, sale), accepted=0, rejected=((0, "tier_unknown", "lines[1].tier"),)), 2, [])
    kit.becomes(terminal, sale, "rejected", "tier_unknown")


@case(GROUP, "An amount of nothing, below nothing or beyond the largest is refused", source=f"{SOURCE}, amount")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    records = [kit.sale(terminal, lines=[kit.line(amount)]) for amount in (0, -1, MAX_AMOUNT_MINOR + 1)]
    rejected = tuple((index, "amount_invalid", "lines[0].amount") for index in range(3))
    took(kit.report(terminal, *records), accepted=0, rejected=rejected)


@case(GROUP, "A card and a claim together are refused", source=f"{SOURCE}, claim")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    both = kit.sale(terminal, card="standard", claim=base64url.encode(bytes(32)))
    took(kit.report(terminal, both), accepted=0, rejected=((0, "card_and_claim"),))


@case(GROUP, "A time in a year that was never opened is refused", source=f"{SOURCE}, at")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, at="1970-06-01T12:00:00+09:00")
    took(kit.report(terminal, sale), accepted=0, rejected=((0, "year_not_open", "at"),))


@case(GROUP, "A till's clock may be a few minutes ahead, not an hour", source="Reporting purchases, order of decisions")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    now = datetime.now(UTC)
    near, far = ((now + timedelta(minutes=minutes)).isoformat() for minutes in (5, 60))
    records = [kit.sale(terminal, at=near), kit.sale(terminal, at=far)]
    took(kit.report(terminal, *records), accepted=1, rejected=((1, "from_the_future", "at"),))


@case(
    GROUP, "Of two faults the first in the protocol's order is named", source="Reporting purchases, order of decisions"
)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    wrong_tier = {"tier": "no_such_tier", "amount": 0}
    records = [
        kit.sale(terminal, at="yesterday", lines=[wrong_tier]),
        kit.sale(terminal, at="1970-06-01T12:00:00+09:00", lines=[wrong_tier]),
        kit.sale(terminal, lines=[kit.line(0), wrong_tier]),
        kit.sale(terminal, card="standard", claim=base64url.encode(bytes(32)), lines=[kit.line(0)]),
    ]
    codes = ("record_malformed", "year_not_open", "tier_unknown", "amount_invalid")
    took(kit.report(terminal, *records), accepted=0, rejected=tuple(enumerate(codes)))
