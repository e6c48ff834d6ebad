"""Samples: those that there are, one with its items, and what it says of its population."""

from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from django.db.models import Count, Q

from apps.accruals.models import Entry
from apps.inspections.models import Method, Population, Result, Sample, SampleItem
from apps.inspections.sampling import Looked, Misstatement, misstatement, most_deviating
from apps.kernel.errors import KanpuError


class SampleMissing(KanpuError):
    """There is no such sample, or no such item in it."""

    code = "sample_missing"


@dataclass(frozen=True, slots=True)
class RateFound:
    """How many items deviate, and how many of the population may: `upper_items` is the exact upper limit.

    Rates are in hundredths of a percent; the upper one is rounded up.
    """

    deviations: int
    upper_items: int
    rate_bp: int
    upper_bp: int
    is_tolerable: bool


@dataclass(frozen=True, slots=True)
class AmountFound:
    """The most likely and the upper misstatement of the population, minor units."""

    misstated: int
    found: Misstatement
    is_tolerable: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How many items are looked at."""

    done: int
    of: int

    @property
    def is_done(self) -> bool:
        """Whether all are."""
        return self.done == self.of


def sample_of(sample_id: int) -> Sample:
    """A sample. Raises SampleMissing."""
    sample = Sample.objects.filter(pk=sample_id).first()
    if sample is None:
        raise SampleMissing("There is no such sample.")
    return sample


def item_of(sample_id: int, position: int) -> SampleItem:
    """An item of a sample, with the sample. Raises SampleMissing."""
    item = SampleItem.objects.select_related("sample").filter(sample_id=sample_id, position=position).first()
    if item is None:
        raise SampleMissing("There is no such item in this sample.")
    return item


def progress_of(sample: Sample) -> Progress:
    """One query."""
    counts = sample.items.aggregate(done=Count("pk", filter=~Q(result="")), of=Count("pk"))
    return Progress(counts["done"], counts["of"])


def resident_of(item: SampleItem) -> UUID | None:
    """Whose item it is, or None when the purchase was withdrawn or erased since it was drawn."""
    if item.sample.population == Population.REFUNDS:
        return item.resident_ref
    if item.terminal_id is None or item.seq is None:
        return None
    sales = Entry.objects.filter(terminal_id=item.terminal_id, seq=item.seq, kind="sale", run__gt=0)
    return sales.filter(tax_year=item.sample.tax_year).values_list("resident_ref", flat=True).first()


def conclusion_of(sample: Sample) -> RateFound | AmountFound | None:
    """What the sample says, once all of its items are looked at."""
    if not progress_of(sample).is_done or sample.drawn_at is None:
        return None
    return rate_found(sample) if sample.method == Method.ATTRIBUTE else amount_found(sample)


def rate_found(sample: Sample) -> RateFound:
    """The upper limit of the rate of deviations; all items have to be looked at."""
    among, items = sample.population_items or 0, sample.items_drawn or 0
    deviations = sample.items.filter(result=Result.DEVIATION).count()
    confidence = Fraction(sample.confidence_percent, 100)
    upper = most_deviating(deviations, items=items, among=among, confidence=confidence)
    is_tolerable = Fraction(upper, among) < Fraction(sample.tolerable_bp or 0, 10_000)
    return RateFound(deviations, upper, 10_000 * deviations // items, -(-10_000 * upper // among), is_tolerable)


def amount_found(sample: Sample) -> AmountFound:
    """The misstatement of the population; all items have to be looked at."""
    looked = [
        Looked(amount, amount if right is None else right)
        for amount, right in sample.items.order_by("position").values_list("amount_minor", "right_minor")
    ]
    confidence = Fraction(sample.confidence_percent, 100)
    found = misstatement(looked, interval=sample.interval_minor or 1, confidence=confidence)
    misstated = sum(item.amount_minor != item.right_minor for item in looked)
    return AmountFound(misstated, found, found.upper_minor <= (sample.tolerable_minor or 0))
