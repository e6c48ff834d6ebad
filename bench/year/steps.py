"""The real operations between loading and the verified year, each run in a process of its own."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from apps.accruals.models import ArchivePart
from apps.accruals.operations.archiving import archive_year
from apps.refunds.models import Run
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from bench.year.sample import YEAR
from bench.year.world import ACTOR

Report = Callable[[object], None]


def archive(*, seen: Report) -> int:  # noqa: ARG001
    """What the clock does every day: close the open part and write it. Returns the entries written."""
    archive_year(YEAR, now=timezone.now())
    part = ArchivePart.objects.filter(tax_year=YEAR).order_by("-part").first()
    return sum(file["entries"] for file in part.files) if part else 0


def frozen(*, seen: Report) -> dict[str, Any]:
    """Freeze the year."""
    return _figures(freeze(YEAR, actor=ACTOR, seen=_told(seen)))


def assessed(*, seen: Report) -> dict[str, Any]:
    """Assess from totals; the workers take shards too."""
    return _figures(assess_run(YEAR, actor=ACTOR, seen=_told(seen)))


def verified(*, seen: Report) -> dict[str, Any]:
    """Assess again from the archive, and compare."""
    return _figures(verify_run(YEAR, actor=ACTOR, seen=_told(seen)))


def _told(seen: Report) -> Callable[[int, int], None]:
    return lambda done, total: seen((done, total))


def _figures(run: Run) -> dict[str, Any]:
    return {
        "state": run.state,
        "residents": run.residents,
        "refunded": run.refunded,
        "at_cap": run.at_cap,
        "refund_minor": run.entitled_minor,
        "entries": run.verified_entries,
        "differing": run.differing,
        "digest": run.digest,
    }
