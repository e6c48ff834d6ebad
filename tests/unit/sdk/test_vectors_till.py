"""The till's own file agrees with the published closings, which were reckoned by hand."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from kanpu_pos.booking import enter
from kanpu_pos.records import from_json
from kanpu_pos.seal import digest_0
from kanpu_pos.store import Store

from .vectors import document

CLOSINGS = document("closings.json")


@pytest.mark.parametrize("vector", CLOSINGS["cases"], ids=lambda vector: vector["name"])
def test_a_till_would_close_with_the_published_totals(vector: dict[str, Any], tmp_path: Path) -> None:
    terminal, zone = CLOSINGS["terminal"], ZoneInfo(CLOSINGS["time_zone"])
    store = Store(tmp_path / "till.sqlite")
    with store.transaction():
        store.restart_chain(1, digest_0(terminal))
        for record in vector["records"]:
            enter(store, from_json(record["json"].encode()), terminal=terminal, zone=zone)
    for closing in vector["closings"]:
        published = {row["tier"]: row["amount"] for row in closing["totals"] if row["amount"]}
        assert {tier: amount for tier, amount in store.totals(closing["year"]) if amount} == published
    store.close()
