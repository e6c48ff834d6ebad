"""Steps that auditors ask for in the console: written down first, then done by whichever worker is free."""

import logging
from collections.abc import Callable
from typing import Final

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from apps.kernel.errors import KanpuError
from apps.purchases.doorbell import Doorbell
from apps.refunds.models import Step, StepName
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.steps import StepRunning
from apps.refunds.operations.verifying import verify_run
from apps.schemes.queries import tax_year

logger = logging.getLogger(__name__)
SWEPT: Final[list[Callable[[], int]]] = []  # what the sweep does besides: filled as apps above this one start
bell = Doorbell("refunds.steps")
WORK = {StepName.FREEZE: freeze, StepName.ASSESS: assess_run, StepName.VERIFY: verify_run}


def request_step(year: int, name: StepName, *, actor: str) -> Step:
    """Ask for a step; a worker starts it. Raises YearNotStarted, and StepRunning while the year has another one."""
    tax_year(year)
    try:
        with transaction.atomic():
            step = Step.objects.create(tax_year_id=year, name=name, actor=actor, requested_at=timezone.now())
    except IntegrityError as error:
        raise StepRunning(f"A step of {year} is at work already. Wait for it, and look at this page again.") from error
    bell.ring()
    return step


def run_requested() -> int:
    """Do the steps that wait, unless somebody is at work on their year. Returns how many were done."""
    done = 0
    for step in Step.objects.filter(finished_at=None).order_by("requested_at"):
        try:
            WORK[StepName(step.name)](step.tax_year_id, actor=step.actor)
            done += 1
        except StepRunning:
            continue
        except KanpuError as error:  # kept with the step, where the auditor sees it
            logger.warning("%s stopped: %s", step, error.code)
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # of one year, so that the others' steps are done
            logger.exception("%s failed.", step)
    return done
