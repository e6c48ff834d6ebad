"""Loading scheme files and starting tax years."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from django.db import transaction
from psycopg.types.range import DateRange

from apps.audit.operations import record_event
from apps.audit.states import state_of
from apps.kernel.errors import KanpuError
from apps.schemes.document import DatedRate as DocumentRate
from apps.schemes.document import Scheme, digest
from apps.schemes.models import DatedRate, SchemeVersion, TaxYear
from apps.schemes.rates import dated
from apps.schemes.reading import SchemeInvalid, read_scheme_text

SHIPPED = Path(__file__).parent / "files"


class DeadlineInvalid(KanpuError):
    """The deadline lies before the end of its year."""

    code = "deadline_invalid"


class YearAlreadyStarted(KanpuError):
    """The tax year runs under another scheme or deadline already."""

    code = "year_already_started"


@transaction.atomic
def load_scheme(path: Path, *, at: datetime, actor: str) -> tuple[SchemeVersion, bool]:
    """The version of the scheme in the YAML file at `path`, and whether it is new.

    The same content (comments and layout aside) is the same version. Raises SchemeInvalid.
    """
    scheme = read_scheme_file(path)
    sha256 = digest(scheme)
    if known := SchemeVersion.objects.filter(sha256=sha256).first():
        return known, False
    latest = SchemeVersion.objects.filter(code=scheme.code).order_by("-version").first()
    version = SchemeVersion.objects.create(
        code=scheme.code,
        version=latest.version + 1 if latest else 1,
        sha256=sha256,
        document=msgspec.to_builtins(scheme),
        loaded_at=at,
    )
    DatedRate.objects.bulk_create(_rate_rows(version, scheme))
    record_event(
        at=at, actor=actor, action="scheme.load", subject=str(version), detail={"sha256": sha256},
        before={}, after={"sha256": sha256},
    )  # fmt: skip
    return version, True


def read_scheme_file(path: Path) -> Scheme:
    """The validated scheme in a YAML file. Raises SchemeInvalid naming file, line and rule."""
    try:
        return read_scheme_text(path.read_text("utf-8"), name=path.name)
    except UnicodeDecodeError as error:
        raise SchemeInvalid(f"{path} is no text in UTF-8.") from error
    except OSError as error:
        raise SchemeInvalid(f"{path} cannot be read: {error.strerror}.") from error


def shipped_schemes() -> list[tuple[Path, Scheme]]:
    """The scheme files that come with Kanpu, loaded or not, by name."""
    return [(path, read_scheme_file(path)) for path in sorted(SHIPPED.glob("*.yaml"))]


def _rate_rows(version: SchemeVersion, scheme: Scheme) -> list[DatedRate]:
    rows: list[tuple[str, bool, list[DocumentRate]]] = [("", False, scheme.collected)]
    rows += [(tier.code, False, tier.rates) for tier in scheme.tiers]
    rows += [(tier.code, True, tier.collected) for tier in scheme.tiers if tier.collected]
    return [
        DatedRate(
            scheme_version=version, tier=tier, own_collected=own, valid=DateRange(period.start, period.end), rate=rate
        )
        for tier, own, rates in rows
        for period, rate in dated(rates)
    ]


@transaction.atomic
def open_tax_year(year: int, version: SchemeVersion, *, deadline: date | None, at: datetime, actor: str) -> TaxYear:
    """The row of a tax year under a scheme version; started twice alike, it stays as it is.

    `deadline` is the last day on which purchases are taken, in the scheme's time zone; by default the scheme's
    filing deadline of the following year. Raises DeadlineInvalid, and YearAlreadyStarted when it runs otherwise
    already.
    """
    scheme = version.scheme()
    zone = ZoneInfo(scheme.time_zone)
    last_day = deadline or date.fromisoformat(f"{year + 1}-{scheme.filing_deadline}")
    if last_day < date(year, 12, 31):
        raise DeadlineInvalid(f"The deadline {last_day} is before the end of {year}.")
    deadline_at = datetime.combine(last_day + timedelta(days=1), time(), zone).astimezone(UTC)
    row, created = TaxYear.objects.get_or_create(
        year=year,
        defaults={
            "scheme_version": version,
            "starts_at": datetime.combine(date(year, 1, 1), time(), zone),
            "ends_at": datetime.combine(date(year + 1, 1, 1), time(), zone),
            "deadline_at": deadline_at,
        },
    )
    if row.scheme_version_id != version.pk or (deadline and row.deadline_at != deadline_at):
        raise YearAlreadyStarted(f"{year} runs under {row.scheme_version} until {row.deadline_at:%Y-%m-%d %H:%M} UTC.")
    if created:
        record_event(
            at=at, actor=actor, action="year.start", subject=str(year), detail={"scheme": str(version)},
            before={}, after=state_of(row),
        )  # fmt: skip
    return row
