"""The assessment as one SQL statement gives, for every resident, exactly what the rules say, number by number."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import yaml
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accruals.models import Total
from apps.refunds.assessment import Assessment, Cut, Person, assess
from apps.refunds.flat import assess_statement, is_flat
from apps.refunds.leaves import Statement, cuts_text, hmac_pads, leaf, lines_text
from apps.refunds.models import Refund
from apps.refunds.rules import Rules, rules_of
from apps.schemes.operations import SHIPPED
from apps.schemes.reading import read_scheme
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)

JP_2015 = yaml.safe_load((SHIPPED / "jp-2015.yaml").read_text())
NONE = {"ja": "—", "en": "—"}
SECRET = bytes(range(32))
SHA256 = "ab" * 32
TIERS = ("reduced", "standard")

amounts = st.one_of(st.just(0), st.integers(0, 200), st.integers(0, 300_000), st.integers(0, 10**12))
years = st.dictionaries(st.sampled_from(TIERS), st.lists(amounts, min_size=12, max_size=12), min_size=1)
rates = st.one_of(
    st.sampled_from([Decimal("0.08"), Decimal(0), Decimal("0.05")]),
    st.integers(0, 140_000).map(lambda millionths: Decimal(millionths) / 1_000_000),
)


@st.composite
def flat_rules(draw: st.DrawFn) -> Rules:
    change = date(2017, draw(st.integers(2, 12)), 1)
    tiers = [
        tier | {"rates": [{"from": date(2015, 1, 1), "rate": draw(rates)}, {"from": change, "rate": draw(rates)}]}
        for tier in JP_2015["tiers"]
    ]
    cap = draw(st.one_of(st.none(), st.integers(0, 6_000)))
    refund = {
        "basis": "rate_difference",
        "rounding": draw(st.sampled_from(["floor", "kokuzei-tsusoku-120", "half_up"])),
        "surcharge": draw(st.sampled_from(["offset", "ignore"])),
        "limits": [] if cap is None else [{"per": "year", "for": "person", "cap": {"amount": cap}, "reference": NONE}],
    }
    return rules_of(read_scheme(JP_2015 | {"tiers": tiers, "refund": refund}), 2017)


@dataclass(slots=True)
class Book:
    """Totals of some residents, in two runs."""

    of_run: dict[int, dict[UUID, dict[str, list[int]]]]

    def up_to(self, run: int) -> dict[UUID, dict[str, list[int]]]:
        sums: dict[UUID, dict[str, list[int]]] = {}
        for number in range(1, run + 1):
            for ref, tiers in self.of_run.get(number, {}).items():
                for tier, months in tiers.items():
                    before = sums.setdefault(ref, {}).setdefault(tier, [0] * 12)
                    sums[ref][tier] = [one + other for one, other in zip(before, months, strict=True)]
        return sums


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flat_rules(), st.lists(years, min_size=1, max_size=4), st.lists(years, max_size=4))
def test_the_statement_agrees_with_the_rules(
    world: World, rules: Rules, first: list[dict[str, list[int]]], second: list[dict[str, list[int]]]
) -> None:
    assert is_flat(rules)
    refs = [uuid4() for _ in range(max(len(first), len(second)))]
    book = Book({1: dict(zip(refs, first, strict=False)), 2: dict(zip(refs, second, strict=False))})
    with transaction.atomic():
        for run, of_residents in book.of_run.items():
            Total.objects.bulk_create(
                Total(resident_ref=ref, tax_year=2017, run=run, tier=tier, amounts_minor=months, purchases=[0] * 12)
                for ref, tiers in of_residents.items()
                for tier, months in tiers.items()
            )
        figures = [run_statement(rules, run) for run in (1, 2)]
        kept = {(row.resident_ref, row.run): row for row in Refund.objects.all()}
        transaction.set_rollback(True)
    expected = list(expected_rows(rules, book))
    assert {(row["resident_ref"], row["run"]) for row in expected} == set(kept)
    for row in expected:
        found = kept[row["resident_ref"], row["run"]]
        assert {name: getattr(found, name) for name in row if name not in ("leaf", "cuts")} == {
            name: value for name, value in row.items() if name not in ("leaf", "cuts")
        }
        assert [int(number) for number in found.cuts] == row["cuts"]
        assert bytes(found.leaf) == row["leaf"]
    for ref in {row["resident_ref"] for row in expected}:  # what all runs gave is what one assessment at the end gives
        dues = sum(row["due_minor"] for row in expected if row["resident_ref"] == ref)
        assert dues == assess(Person(ref, book.up_to(2)[ref]), rules).refund_minor
    for run, (residents, refunded, at_cap, entitled, statements, due) in enumerate(figures, start=1):
        everybody = {ref: assess(Person(ref, spend), rules) for ref, spend in book.up_to(run).items()}
        assert residents == len(everybody)
        assert refunded == sum(found.refund_minor > 0 for found in everybody.values())
        assert at_cap == sum(found.at_cap for found in everybody.values())
        assert entitled == sum(found.refund_minor for found in everybody.values())
        written = [row for row in expected if row["run"] == run]
        assert (statements, due) == (len(written), sum(row["due_minor"] for row in written))


def run_statement(rules: Rules, run: int) -> tuple[int, ...]:
    statement = assess_statement(rules, scheme_sha256=SHA256, year=2017, run=run, is_first=run == 1)
    inner, outer = hmac_pads(SECRET)
    values = {
        "year": 2017, "run": run, "first": UUID(int=0), "last": UUID(int=2**128 - 1), "version": 1,
        "leaf": b"\0", "inner": inner, "outer": outer,
    }  # fmt: skip
    with psycopg.Cursor(connection.connection) as cursor:
        return tuple(map(int, cursor.execute(statement, values).fetchone() or ()))


def expected_rows(rules: Rules, book: Book) -> Iterator[dict[str, Any]]:
    last: dict[UUID, Assessment] = {}
    for run in (1, 2):
        for ref, spend in book.up_to(run).items():
            found = assess(Person(ref, spend), rules)
            before = last.get(ref)
            if before and (before.refund_minor, before.spend_minor) == (found.refund_minor, found.spend_minor):
                continue
            earlier = before.refund_minor if before else 0
            yield expected_row(rules, run, ref, found, earlier)
            last[ref] = found


def expected_row(rules: Rules, run: int, ref: UUID, found: Assessment, earlier: int) -> dict[str, Any]:
    cuts = tuple(Cut(*cut) for cut in found.cuts)
    lines = lines_text(rules.lines, found.spend_minor, None)
    due = found.refund_minor - earlier
    statement = Statement(2017, run, SHA256, ref, found.refund_minor, earlier, due, lines, cuts_text(cuts))
    return {
        "resident_ref": ref, "run": run, "entitled_minor": found.refund_minor, "earlier_minor": earlier,
        "due_minor": due, "at_cap": found.at_cap, "spend_minor": list(found.spend_minor),
        "cuts": [number for cut in cuts for number in cut], "leaf": leaf(SECRET, statement),
    }  # fmt: skip


def test_what_was_bought_in_a_tier_without_a_rate_is_refused(world: World) -> None:
    rules = rules_of(read_scheme(JP_2015), 2017)
    Total.objects.create(
        resident_ref=uuid4(), tax_year=2017, run=1, tier="books", amounts_minor=[1] * 12, purchases=[1] * 12
    )
    with pytest.raises(psycopg.errors.NotNullViolation), transaction.atomic():
        run_statement(rules, 1)
