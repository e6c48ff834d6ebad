"""Reading schemes and years."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from apps.kernel.database import Ask, Statement, trip
from apps.kernel.errors import KanpuError
from apps.kernel.periods import Period, covers, year_period
from apps.schemes.document import Scheme
from apps.schemes.models import SchemeVersion, TaxYear
from apps.schemes.rates import dated

YEARS: Final = Statement(
    "SELECT year, scheme_version_id, starts_at, ends_at, deadline_at, erased_at FROM schemes_taxyear ORDER BY year"
)
YEAR_LOCK: Final = 20150900  # the class of the advisory locks that are taken by year


class YearNotStarted(KanpuError):
    """The tax year has no row yet."""

    code = "year_not_started"


class YearErased(KanpuError):
    """The purchases of the year were erased at its retention date."""

    code = "year_erased"


class SchemeUnknown(KanpuError):
    """No scheme of this code was loaded."""

    code = "scheme_unknown"


class OpenYear(NamedTuple):
    """What accepting, counting and pages need to know of a year. `erased_at`: from when on its purchases are erased."""

    year: int
    scheme_version_id: int
    starts_at: datetime
    ends_at: datetime
    deadline_at: datetime
    erased_at: datetime | None = None


class LoadedVersion(NamedTuple):
    """A scheme version and the years that run under it."""

    code: str
    version: int
    sha256: str
    loaded_at: datetime
    years: list[int]


def started_years() -> list[OpenYear]:
    """All started years, in order: one query."""
    (rows,) = trip(Ask(YEARS))
    return open_years(rows)


def open_years(rows: Iterable[tuple[Any, ...]]) -> list[OpenYear]:
    """The years in the rows of YEARS, for who asks with every request, together with something else."""
    return [OpenYear(*row) for row in rows]


def kept_years() -> list[int]:
    """The started years whose purchases are not erased: one query."""
    return list(TaxYear.objects.filter(erased_at=None).order_by("year").values_list("year", flat=True))


def tax_year(year: int) -> TaxYear:
    """The started year with its scheme version. Raises YearNotStarted."""
    try:
        return TaxYear.objects.select_related("scheme_version").get(year=year)
    except TaxYear.DoesNotExist:
        raise YearNotStarted(
            f"The tax year {year} was not started. Start it: start_year {year} --scheme CODE"
        ) from None


def check_kept(year: TaxYear) -> None:
    """Raise YearErased once the year's purchases were erased."""
    if year.erased_at:
        raise YearErased(
            f"The purchases of {year.year}, with shops and times, were erased at its retention date. Totals, refunds"
            " and proofs stay."
        )


@lru_cache(maxsize=64)
def scheme_of(scheme_version_id: int) -> Scheme:
    """The scheme of a version. Versions are immutable, so it is read once a process."""
    return SchemeVersion.objects.get(pk=scheme_version_id).scheme()


@lru_cache(maxsize=64)
def tiers_all_year(scheme_version_id: int, year: int) -> frozenset[str]:
    """The tiers that have a rate on every day of a year: of most schemes, all."""
    whole = year_period(year)
    periods = tier_periods(scheme_version_id).items()
    return frozenset(code for code, dated in periods if covers(dated, whole))


@lru_cache(maxsize=64)
def tier_periods(scheme_version_id: int) -> dict[str, list[Period]]:
    """The periods in which each tier of the version has a rate."""
    return {tier.code: [period for period, _ in dated(tier.rates)] for tier in scheme_of(scheme_version_id).tiers}


def latest_version(code: str) -> SchemeVersion:
    """The newest loaded version of a scheme. Raises SchemeUnknown."""
    version = SchemeVersion.objects.filter(code=code).order_by("-version").first()
    if version is None:
        raise SchemeUnknown(
            f"No scheme {code!r} is loaded. Load it: manage.py load_scheme FILE (the files: manage.py list_schemes)"
        )
    return version


def loaded_version(code: str, version: int) -> SchemeVersion:
    """A loaded version of a scheme by its number. Raises SchemeUnknown."""
    try:
        return SchemeVersion.objects.get(code=code, version=version)
    except SchemeVersion.DoesNotExist:
        raise SchemeUnknown(f"No version {version} of the scheme {code!r} is loaded. See: list_schemes") from None


def loaded_versions() -> list[LoadedVersion]:
    """Every loaded version with the years that run under it, by code and version: two queries."""
    years: dict[int, list[int]] = {}
    for year, version in TaxYear.objects.order_by("year").values_list("year", "scheme_version_id"):
        years.setdefault(version, []).append(year)
    return [
        LoadedVersion(row.code, row.version, row.sha256, row.loaded_at, years.get(row.pk, []))
        for row in SchemeVersion.objects.defer("document").order_by("code", "version")
    ]


def scheme_on(day: date) -> Scheme | None:
    """The scheme of the started year that a day belongs to, or None: one query."""
    version = TaxYear.objects.filter(year=day.year).values_list("scheme_version_id", flat=True).first()
    return scheme_of(version) if version else None
