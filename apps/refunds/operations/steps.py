"""The steps of a run: who may start which from which state, one at a time a year, taken up again after a crash."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from apps.audit.operations import record_event
from apps.audit.states import change_of
from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen, nothing_seen
from apps.refunds.models import Run, RunState, Step, StepName
from apps.refunds.queries.runs import latest_run

STEP_LOCK: Final = 20150902  # the class of the advisory locks taken by year for a step
SHOWN_EVERY_S: Final = 0.5


class WrongState(KanpuError):
    """The run is not in the state that this step starts from."""

    code = "wrong_state"


class StepRunning(KanpuError):
    """Another process is at work on a step of this year."""

    code = "step_running"


@dataclass(slots=True)
class Work:
    """A step at work: tells how far it is, on the step's row (for the console) and to whoever called."""

    step: Step
    seen: Seen
    shown_s: float = 0.0

    def show(self, done: int, total: int) -> None:
        """Tell that `done` of `total` are done. Outside of transactions, or nobody else sees it before their end."""
        self.seen(done, total)
        if done == total or time.monotonic() - self.shown_s > SHOWN_EVERY_S:
            self.shown_s = time.monotonic()
            Step.objects.filter(pk=self.step.pk).update(done=done, total=total)


@contextmanager
def working(year: int, name: StepName, *, actor: str, seen: Seen = nothing_seen) -> Iterator[Work]:
    """The step of a year, while the block runs; a step that died is taken up by whoever starts it again.

    The lock is the database session's: it ends with the process that holds it, however that ends. Raises StepRunning.
    """
    with alone(year):
        step = _begin(year, name, actor)
        try:
            yield Work(step, seen)
        except KanpuError as error:
            _finish(step, error=str(error)[:500], error_code=error.code)
            raise
        except KeyboardInterrupt:  # somebody wants it to stop, so nobody takes it up by itself
            _finish(step, error="It was interrupted.", error_code="interrupted")
            raise
        except (OperationalError, InterfaceError):  # the database went away: whoever comes next takes it up
            raise
        except Exception as error:
            _finish(step, error=f"{type(error).__name__}: {error}"[:500], error_code="unforeseen")
            raise
        _finish(step)


@contextmanager
def alone(year: int) -> Iterator[None]:
    """While the block runs, no step of this year runs elsewhere. Raises StepRunning."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [STEP_LOCK, year])
        if cursor.fetchone() != (True,):
            raise StepRunning(f"Another process works on {year}. See how far it is: manage.py year_end {year} status")
    try:
        yield
    finally:
        if connection.connection and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [STEP_LOCK, year])


@transaction.atomic
def _begin(year: int, name: StepName, actor: str) -> Step:
    unfinished = Step.objects.filter(tax_year_id=year, finished_at=None).select_for_update().first()
    if unfinished and unfinished.name == name:
        return unfinished
    if unfinished:
        unfinished.finished_at, unfinished.error = timezone.now(), "given up"
        unfinished.save(update_fields=["finished_at", "error"])
    return Step.objects.create(tax_year_id=year, name=name, actor=actor, requested_at=timezone.now())


def _finish(step: Step, **error: str) -> None:
    Step.objects.filter(pk=step.pk).update(finished_at=timezone.now(), **error)


def locked(year: int, *states: RunState) -> Run:
    """The newest run, its row locked until commit, in one of the states. Raises RunMissing and WrongState."""
    found = latest_run(year)
    run = Run.objects.select_related("tax_year__scheme_version").select_for_update(of=("self",)).get(pk=found.pk)
    check_state(run, *states)
    return run


def locked_in(year: int, state: RunState, number: int | None) -> Run:
    """A run in a state, locked until commit: the one named, or the oldest. Raises RunMissing and WrongState."""
    runs = Run.objects.filter(tax_year_id=year).order_by("number").select_for_update(of=("self",))
    chosen = runs.filter(number=number) if number else runs.filter(state=state)
    run = chosen.select_related("tax_year__scheme_version").first() or latest_run(year)
    check_state(run, state)
    return run


def check_state(run: Run, *states: RunState) -> None:
    """Raise WrongState unless the run is in one of the states."""
    if run.state not in states:
        raise WrongState(f"{run} is {run.state}; this step needs {' or '.join(states)}.")


def record(run: Run, action: str, actor: str, detail: dict[str, object]) -> None:
    """Add an event of a run to the trail."""
    subject = f"run:{run.tax_year_id}/{run.number}"
    record_event(at=timezone.now(), actor=actor, action=action, subject=subject, detail=detail, **change_of(run))
