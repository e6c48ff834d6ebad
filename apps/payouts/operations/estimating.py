"""What could be paid of a run now: counted by whichever worker is free, which needs no keys. Nothing else is kept."""

import logging
from datetime import datetime
from typing import Final

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from apps.kernel.errors import KanpuError
from apps.payouts.models import Estimate
from apps.payouts.operations.paying import would_make
from apps.purchases.doorbell import Doorbell
from apps.refunds.models import RunState
from apps.refunds.operations.steps import WrongState
from apps.refunds.queries.runs import run_of

logger = logging.getLogger(__name__)
bell: Final = Doorbell("payouts.estimates")
FAILED: Final = "estimate_failed"


class EstimateRunning(KanpuError):
    """A worker counts this run already."""

    code = "estimate_running"


def request_estimate(year: int, number: int, *, at: datetime, actor: str) -> Estimate:
    """Ask for a count of what could be paid. Raises RunMissing, WrongState and EstimateRunning."""
    run = run_of(year, number)
    if run.state != RunState.PAYING:
        raise WrongState(f"{run} is {run.state}: nothing of it is to be paid.")
    try:
        with transaction.atomic():
            asked = Estimate.objects.create(tax_year=year, run=number, asked_at=at, asked_by=actor)
    except IntegrityError as error:
        raise EstimateRunning(f"A worker counts {run} already. Look at the page again.") from error
    bell.ring()
    return asked


def run_estimates() -> int:
    """Count what was asked for, the oldest first; two workers at once find the same. Returns how many."""
    done = 0
    for asked in Estimate.objects.filter(finished_at=None).order_by("pk"):
        found, code = None, ""
        try:
            found = would_make(asked.tax_year, number=asked.run, actor=asked.asked_by)
        except KanpuError as error:
            code = error.code
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # of one run, so that the others are counted
            logger.exception("%s failed.", asked)
            code = FAILED
        ended = Estimate.objects.filter(pk=asked.pk, finished_at=None)
        done += ended.update(found=found, error_code=code, finished_at=timezone.now())
    return done
