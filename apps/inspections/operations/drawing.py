"""Asking for a sample, and drawing it: the seed is on record before the population is looked at."""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from apps.audit.operations import record_event
from apps.inspections.models import Method, Population, Sample, SampleItem
from apps.inspections.sampling import MOST_ITEMS, SampleTooLarge, attribute_size, first_yen, monetary_interval
from apps.kernel.errors import KanpuError
from apps.merchants.models import Terminal
from apps.purchases.doorbell import Doorbell

logger = logging.getLogger(__name__)
bell = Doorbell("inspections.samples")
SEED_BYTES: Final = 32
# Sales as they were first counted, and refunds that are due: the parts of an item's key, the key itself, its amount.
PURCHASES: Final = """
SELECT terminal_id, seq, NULL::uuid AS resident_ref, NULL::int2 AS run, terminal_id || ':' || seq AS key, amount_minor
FROM (SELECT terminal_id, seq, (SELECT sum(a) FROM unnest(amounts_minor) a)::int8 AS amount_minor FROM accruals_entry
    WHERE tax_year = %(year)s AND kind = 'sale' AND run > 0
    AND (%(terminals)s::int4[] IS NULL OR terminal_id = ANY(%(terminals)s::int4[]))
    AND (%(tier)s::text IS NULL OR %(tier)s::text = ANY(tiers))
    AND at >= coalesce(%(from)s::timestamptz, '-infinity') AND at < coalesce(%(until)s::timestamptz, 'infinity')) sales
WHERE amount_minor >= greatest(%(least)s::int8, 1) AND amount_minor <= coalesce(%(most)s::int8, amount_minor)
"""
REFUNDS: Final = """
SELECT NULL::int4 AS terminal_id, NULL::int4 AS seq, resident_ref, run, resident_ref || ':' || run AS key,
    due_minor AS amount_minor
FROM refunds_refund WHERE tax_year = %(year)s
    AND due_minor >= greatest(%(least)s::int8, 1) AND due_minor <= coalesce(%(most)s::int8, due_minor)
"""
OF: Final = {Population.PURCHASES: PURCHASES, Population.REFUNDS: REFUNDS}
SIZE: Final = "SELECT count(*), coalesce(sum(amount_minor), 0)::int8 FROM ({population}) p"
# The items of the lowest ranks (see sampling.rank).
LOWEST: Final = """
SELECT terminal_id, seq, resident_ref, run, amount_minor FROM ({population}) p
ORDER BY sha256(%(seed)s::bytea || convert_to(key, 'UTF8')) LIMIT %(items)s
"""
# The items in which a drawn yen lies (see sampling.times_drawn), in the order of their keys' parts.
DRAWN: Final = """
SELECT terminal_id, seq, resident_ref, run, amount_minor FROM (
    SELECT p.*, sum(amount_minor) OVER (ORDER BY terminal_id, seq, resident_ref, run)::int8 AS upto
    FROM ({population}) p
) added_up
WHERE (upto - %(start)s + %(interval)s) / %(interval)s > (upto - amount_minor - %(start)s + %(interval)s) / %(interval)s
ORDER BY upto
"""


class PopulationEmpty(KanpuError):
    """Nothing is in the population: there is nothing to draw."""

    code = "population_empty"


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a population: amounts in minor units and days, both ends included. Refunds know amounts only."""

    merchant_id: int | None = None
    tier: str | None = None
    from_date: date | None = None
    to_date: date | None = None
    least_minor: int | None = None
    most_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A sample to draw. Rates are in hundredths of a percent (attribute), amounts in minor units (monetary)."""

    title: str
    method: Method
    population: Population
    tax_year: int
    confidence_percent: int
    tolerable: int
    expected: int
    filters: Filters = Filters()


def request_sample(wanted: Wanted, *, at: datetime, actor: str, seed: bytes | None = None) -> Sample:
    """Keep a sample with a new seed, and its seed in the trail; a worker draws it.

    Raises SampleImpossible where what is expected is not below what is tolerated. A `seed` is given to draw again.
    """
    _check(wanted)
    with transaction.atomic():
        sample = Sample.objects.create(
            title=wanted.title, method=wanted.method, population=wanted.population, tax_year=wanted.tax_year,
            filters={name: _plain(value) for name, value in asdict(wanted.filters).items() if value is not None},
            confidence_percent=wanted.confidence_percent, seed=seed or secrets.token_bytes(SEED_BYTES),
            requested_at=at, requested_by=actor, **_limits(wanted),
        )  # fmt: skip
        record_event(
            at=at, actor=actor, action="sample.request", subject=f"sample:{sample.pk}",
            detail={"seed": bytes(sample.seed).hex(), "method": wanted.method.value, "year": wanted.tax_year,
                    "population": wanted.population.value, "filters": sample.filters, "tolerable": wanted.tolerable,
                    "expected": wanted.expected, "confidence_percent": wanted.confidence_percent},
        )  # fmt: skip
    bell.ring()
    return sample


def draw_requested() -> int:
    """Draw the samples that wait, the oldest first. Returns how many; one that cannot be drawn says why."""
    drawn = 0
    for pk in Sample.objects.filter(drawn_at=None, failure="").order_by("requested_at").values_list("pk", flat=True):
        try:
            drawn += draw(pk, at=timezone.now())
        except KanpuError as error:
            Sample.objects.filter(pk=pk, drawn_at=None).update(failure=error.code)
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # of one sample, so that the others are drawn
            logger.exception("Sample %s cannot be drawn.", pk)
            Sample.objects.filter(pk=pk, drawn_at=None).update(failure="failed")
    return drawn


def draw(sample_id: int, *, at: datetime) -> bool:
    """Draw a sample that was asked for, from the population as it is at one moment. False: another worker does it.

    Raises PopulationEmpty, SampleTooLarge.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        sample = Sample.objects.select_for_update(skip_locked=True).filter(pk=sample_id, drawn_at=None).first()
        if sample is None:
            return False
        drawn = draw_items(sample)
        SampleItem.objects.bulk_create(_items(sample, drawn), batch_size=1000)
        for name, value in drawn.kept.items():
            setattr(sample, name, value)
        sample.drawn_at = at
        sample.save()
        record_event(
            at=at, actor="worker", action="sample.draw", subject=f"sample:{sample.pk}", detail=dict(drawn.kept)
        )
    return True


class Drawn(NamedTuple):
    """What was drawn, in order; `kept` are the fields of the sample that follow from the population."""

    rows: list[tuple[Any, ...]]
    kept: dict[str, int]


def draw_items(sample: Sample) -> Drawn:
    """Draw from the population as it is: the same seed gives the same items as long as that does not change.

    Raises PopulationEmpty, SampleTooLarge, SampleImpossible.
    """
    statement, place = OF[Population(sample.population)], _place(sample)
    with connection.cursor() as cursor:
        cursor.execute(SIZE.format(population=statement), place)
        items, total_minor = cursor.fetchone()
        if not items:
            raise PopulationEmpty("Nothing is in this population. Choose another year or fewer filters.")
        more = _rule(sample, items, total_minor)
        how = LOWEST if sample.method == Method.ATTRIBUTE else DRAWN
        cursor.execute(how.format(population=statement), place | more)
        rows = cursor.fetchall()
    kept = {"population_items": items, "population_minor": total_minor, "items_drawn": len(rows)}
    if sample.method == Method.ATTRIBUTE:
        return Drawn(rows, kept | {"allowed": more["allowed"]})
    return Drawn(rows, kept | {"interval_minor": more["interval"]})


def _rule(sample: Sample, items: int, total_minor: int) -> dict[str, Any]:
    """What the statement asks beside the population."""
    confidence = Fraction(sample.confidence_percent, 100)
    if sample.method == Method.ATTRIBUTE:
        tolerable, expected = (Fraction(bp or 0, 10_000) for bp in (sample.tolerable_bp, sample.expected_bp))
        size = attribute_size(items, tolerable=tolerable, expected=expected, confidence=confidence)
        return {"seed": bytes(sample.seed), "items": size.items, "allowed": size.allowed}
    interval = monetary_interval(
        sample.tolerable_minor or 0, expected_minor=sample.expected_minor or 0, confidence=confidence
    )
    if total_minor // interval > MOST_ITEMS:
        raise SampleTooLarge(f"More than {MOST_ITEMS:,} items would be drawn. Tolerate more, or be less sure.")
    return {"interval": interval, "start": first_yen(bytes(sample.seed), interval)}


def _items(sample: Sample, drawn: Drawn) -> list[SampleItem]:
    return [
        SampleItem(
            sample=sample, position=position, terminal_id=terminal_id, seq=seq, resident_ref=resident_ref, run=run,
            amount_minor=amount_minor,
        )
        for position, (terminal_id, seq, resident_ref, run, amount_minor) in enumerate(drawn.rows, start=1)
    ]  # fmt: skip


def _check(wanted: Wanted) -> None:
    confidence = Fraction(wanted.confidence_percent, 100)
    if wanted.method == Method.ATTRIBUTE:
        tolerable, expected = Fraction(wanted.tolerable, 10_000), Fraction(wanted.expected, 10_000)
        attribute_size(1, tolerable=tolerable, expected=expected, confidence=confidence)
    else:
        monetary_interval(wanted.tolerable, expected_minor=wanted.expected, confidence=confidence)


def _limits(wanted: Wanted) -> dict[str, int]:
    unit = "bp" if wanted.method == Method.ATTRIBUTE else "minor"
    return {f"tolerable_{unit}": wanted.tolerable, f"expected_{unit}": wanted.expected}


def _place(sample: Sample) -> dict[str, Any]:
    """The filters as the statements name them."""
    filters: Mapping[str, Any] = sample.filters
    merchant_id = filters.get("merchant_id")
    terminals = Terminal.objects.filter(merchant_id=merchant_id) if merchant_id else None
    first, last = (filters.get(name) for name in ("from_date", "to_date"))
    return {
        "year": sample.tax_year,
        "terminals": None if terminals is None else list(terminals.values_list("pk", flat=True)),
        "tier": filters.get("tier"),
        "from": first and _midnight(date.fromisoformat(first)),
        "until": last and _midnight(date.fromisoformat(last) + timedelta(days=1)),
        "least": filters.get("least_minor"),
        "most": filters.get("most_minor"),
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(settings.TIME_ZONE)).astimezone(UTC)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
