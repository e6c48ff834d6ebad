"""Tiers in force, and the keys that readers seal to."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from kanpu_pos import base64url
from kanpu_pos.conformance.expecting import equal, field, true
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.link import answered, refused
from kanpu_pos.conformance.registry import case

GROUP = "tiers and keys"
SOURCE = "Reading back, enrolling"


@case(GROUP, "The tiers of a day have rates as exact decimals, and names in both languages", source=SOURCE)
def _(kit: Kit) -> None:
    answer = answered(kit.link.get("/v1/tiers", on=kit.day))
    equal("on", kit.day, field(answer, "on"))
    collected = _rate(answer, "collected")
    for tier in field(answer, "tiers"):
        true("a rate up to the collected one", 0 <= _rate(tier, "rate") <= collected, tier)
        for language in ("ja", "en"):
            true(f"a name in {language}", field(tier, "name", language), tier)
            true(f"examples in {language}", isinstance(field(tier, "examples", language), str), tier)
    true("a currency", len(field(answer, "currency")) == 3, answer)
    true("its digits", type(field(answer, "minor_unit_digits")) is int, answer)


@case(GROUP, "A day that is none, and a day whose year is not open, have no tiers", source=SOURCE)
def _(kit: Kit) -> None:
    for text in ("2017-02-30", "today", "2017"):
        refused(kit.link.get("/v1/tiers", on=text), 400, "malformed")
    refused(kit.link.get("/v1/tiers", on="1970-06-01"), 404, "not_found")
    refused(kit.link.get("/v1/tiers", on=kit.day, key=False), 401, "key_invalid")


@case(GROUP, "Sealing keys are public, and one of them is good for now", source=SOURCE)
def _(kit: Kit) -> None:
    keys = answered(kit.link.get("/v1/keys", key=False, mode="test"))
    ends = []
    for key in keys:
        true("an id from 1 to 255", field(key, "id") in range(1, 256), key)
        equal("bytes of a public key", 32, len(base64url.decode(field(key, "public_key"))))
        ends.append(datetime.fromisoformat(field(key, "seal_until")))
    true("a key to seal with", any(end > datetime.now(UTC) for end in ends), keys)
    live = answered(kit.link.get("/v1/keys", key=False))
    equal("keys of both modes", set(), {key["public_key"] for key in keys} & {key["public_key"] for key in live})


def _rate(row: Any, name: str) -> Decimal:
    text = field(row, name)
    true(f"{name} as a text, such as 0.08", isinstance(text, str), row)
    return Decimal(text)
