"""The published test cards: each ends as it says."""

from kanpu_pos.conformance.answers import took
from kanpu_pos.conformance.expecting import equal, field, true
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.link import answered
from kanpu_pos.conformance.registry import case

GROUP = "test cards"
SOURCE = "Test mode"
ENDS = {"standard": "counted", "second": "counted", "held": "held", "unknown": "rejected", "cloned": "held"}


@case(GROUP, "There are cards that are counted, held, unknown and cloned, and what each is for is said", source=SOURCE)
def _(kit: Kit) -> None:
    rows = answered(kit.link.get("/v1/test/cards"))
    equal("names", set(ENDS), {field(row, "name") for row in rows})
    for row in rows:
        sizes = [len(bytes.fromhex(field(row, name))) for name in ("card_id", "card_key")]
        equal("bytes of card_id and card_key", [16, 32], sizes)
        equal(f"the status that {row['name']} ends with", ENDS[row["name"]], field(row, "expect", "status"))
        for language in ("ja", "en"):
            true(f"a purpose in {language}", field(row, "purpose", language), row)


def _ends_as_it_says(kit: Kit, name: str) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card=name)
    took(kit.report(terminal, sale), accepted=1)
    card = kit.card(name)
    kit.becomes(terminal, sale, card.expected_status, card.expected_code)


@case(GROUP, "The standard card is counted", source=SOURCE)
def _(kit: Kit) -> None:
    _ends_as_it_says(kit, "standard")


@case(GROUP, "The second card is counted", source=SOURCE)
def _(kit: Kit) -> None:
    _ends_as_it_says(kit, "second")


@case(GROUP, "The held card is held", source=SOURCE)
def _(kit: Kit) -> None:
    _ends_as_it_says(kit, "held")


@case(GROUP, "The unknown card is rejected", source=SOURCE)
def _(kit: Kit) -> None:
    _ends_as_it_says(kit, "unknown")


@case(GROUP, "The cloned card is held as a clone", source=SOURCE)
def _(kit: Kit) -> None:
    _ends_as_it_says(kit, "cloned")


@case(GROUP, "A test card whose counter starts again is not taken for a clone", source=SOURCE)
def _(kit: Kit) -> None:
    terminal, card = kit.terminal(), kit.card("standard").card
    sales = []
    for _ in range(2):
        card.counter = 7
        sales.append(kit.sale(terminal, card="standard"))
    kit.reported(terminal, *sales)
    for sale in sales:
        kit.becomes(terminal, sale, "counted")


@case(GROUP, "A token of another purchase is rejected by the workers", source="Card token, opening")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard")
    other = kit.sale(terminal) | {"card": sale["card"]}
    kit.reported(terminal, other)
    kit.becomes(terminal, other, "rejected", "cryptogram_wrong")
