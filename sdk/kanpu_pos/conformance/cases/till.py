"""What a vendor's own software has done on the terminal that was named: read back, and looked at."""

from kanpu_pos.conformance.expecting import equal, field, true
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.registry import TILL_GROUP, case
from kanpu_pos.conformance.terminals import Json

SOURCE = "Reporting purchases"
COUNTED = frozenset({"counted", "voided"})

# What a till can know before it sends: a record refused for these is a fault of its software.
FAULTS = frozenset(
    {
        "record_malformed", "year_not_open", "year_closed", "from_the_future", "tier_unknown", "tier_not_in_force",
        "amount_invalid", "card_and_claim", "cryptogram_wrong", "of_not_a_sale",
    }
)  # fmt: skip


def _rows(kit: Kit) -> list[Json]:
    return kit.rows(kit.till_terminal or "")


def _has(kit: Kit, kind: str, statuses: frozenset[str]) -> None:
    def found() -> Json | None:
        rows = (row for row in _rows(kit) if field(row, "kind") == kind and field(row, "status") in statuses)
        return next(rows, None)

    kit.until(f"a {kind} of {kit.till_terminal} that is {' or '.join(sorted(statuses))}", found)


@case(TILL_GROUP, "The till has sold with the standard test card, and it was counted", source=SOURCE)
def _(kit: Kit) -> None:
    _has(kit, "sale", COUNTED)


@case(TILL_GROUP, "The till has sold with the held test card, and it was held: its tokens open", source="Test mode")
def _(kit: Kit) -> None:
    _has(kit, "sale", frozenset({"held"}))


@case(TILL_GROUP, "The till has sold with a claim, which can be claimed", source=f"{SOURCE}, claim")
def _(kit: Kit) -> None:
    _has(kit, "sale", frozenset({"unclaimed"}))


@case(TILL_GROUP, "The till has taken goods back", source=f"{SOURCE}, kind")
def _(kit: Kit) -> None:
    _has(kit, "return", COUNTED)


@case(TILL_GROUP, "The till has voided a sale or a return", source=f"{SOURCE}, kind")
def _(kit: Kit) -> None:
    _has(kit, "void", COUNTED)


@case(TILL_GROUP, "The till has corrected a sale or a return", source=f"{SOURCE}, kind")
def _(kit: Kit) -> None:
    _has(kit, "correction", COUNTED)


@case(TILL_GROUP, "The till seals its batches", source=f"{SOURCE}, seal")
def _(kit: Kit) -> None:
    state = kit.state(kit.till_terminal or "")
    equal("sealed", True, field(state, "sealed"))
    true("a head", field(state, "head"), state)


@case(TILL_GROUP, "The till leaves no gap: a number without a sale is reported as unused", source=f"{SOURCE}, kind")
def _(kit: Kit) -> None:
    state = kit.state(kit.till_terminal or "")
    equal("missing", [], field(state, "missing"))
    equal("records read back", field(state, "next_seq") - 1, len(_rows(kit)))


@case(TILL_GROUP, "The till's last closing agrees with its records", source=f"{SOURCE}, closing")
def _(kit: Kit) -> None:
    def agrees() -> object:
        return (field(kit.state(kit.till_terminal or ""), "last_closing") or {}).get("agrees")

    agreed = kit.until("a closing that was compared", agrees)
    equal("agrees", True, agreed)


@case(TILL_GROUP, "Nothing was rejected that the till could have known", source="Reporting purchases, the answer")
def _(kit: Kit) -> None:
    rejected = [row for row in _rows(kit) if field(row, "status") == "rejected"]
    faults = [(row["seq"], row["error"]["code"]) for row in rejected if field(row, "error", "code") in FAULTS]
    equal("rejected for the till's own faults", [], faults)
