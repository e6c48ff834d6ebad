"""What auditors do in the console: each is one call of the domain, on the run that was shown."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.audit.operations.openings import note_opening
from apps.console.next_step import LONG
from apps.console.queries.office import is_protected
from apps.console.queries.refunds import RefundsPage, refunds_page
from apps.kernel.documents.render import Language
from apps.kernel.errors import KanpuError
from apps.payouts.operations.closing import close_paid_run
from apps.refunds.documents.files import File, letter_file, statement_json_file, statement_pdf_file
from apps.refunds.models import Decision, Run
from apps.refunds.operations.approving import approve_run, pay_run, undo_step
from apps.refunds.operations.requesting import request_step
from apps.refunds.queries.decisions import DecisionPage, letter_of, page_of
from apps.refunds.queries.runs import latest_run
from apps.refunds.queries.statements import statement_of

PAYING: Final[dict[str, Callable[..., Run]]] = {"pay": pay_run, "close": close_paid_run}  # of any approved run
STEPS: Final = (*LONG, *PAYING, "undo")


class RunOutdated(KanpuError):
    """A newer run of the year was frozen since the page was shown."""

    code = "run_outdated"


class WrongPassword(KanpuError):
    """Whoever signs did not give their own password."""

    code = "wrong_password"


def take_step(year: int, number: int, step: str, *, actor: str, shown: str = "") -> None:
    """Take one of STEPS on a run; a worker does those that take long. Raises what they raise, and RunOutdated.

    `shown` is the state that the page said: undo takes back that one only.
    """
    if step in PAYING:
        PAYING[step](year, actor=actor, number=number)
        return
    _check_newest(year, number)
    if step in LONG:
        request_step(year, LONG[step], actor=actor)
    else:
        undo_step(year, actor=actor, shown=(number, shown))


def sign(year: int, number: int, user: User | AnonymousUser, *, password: str, digest: str) -> Run:
    """Sign the digest that the auditor was shown, after their own password. Raises WrongPassword and approve_run's."""
    _check_newest(year, number)
    if not user.check_password(password):
        raise WrongPassword("The password is not the auditor's own.")
    name = user.get_username()
    return approve_run(year, by=name, actor=f"user:{name}", digest=digest)


def _check_newest(year: int, number: int) -> None:
    newest = latest_run(year)
    if newest.number != number:
        raise RunOutdated(f"{newest} is newer than run {number}.")


def state_purpose(resident_ref: UUID, *, access: Access) -> None:
    """An auditor says for what they are about to look at a resident's refunds."""
    note_opening(access, resident_ref, at=timezone.now())


def look_up_refunds(
    resident_ref: UUID, year: int, *, replay_run: int | None, access: Access, opens_protected: bool
) -> RefundsPage:
    """A resident's refunds of a year, and one of them replayed; that they were looked at is written down first.

    Of a protected resident's purchases, shops and times are for named officers only. Raises YearNotStarted, RunMissing
    and StatementMissing.
    """
    _looked(resident_ref, f"refund {year}" if replay_run is None else f"replay {year}-{replay_run}", access)
    hides_places = not opens_protected and is_protected(resident_ref)
    return refunds_page(resident_ref, year, replay_run=replay_run, hides_places=hides_places)


def read_statement(resident_ref: UUID, year: int, number: int, *, language: Language | None, access: Access) -> File:
    """A resident's statement as PDF in a language, or as JSON; written down first.

    Raises RunMissing and StatementMissing.
    """
    _looked(resident_ref, f"statement {year}-{number}", access)
    statement = statement_of(resident_ref, year, number)
    return statement_pdf_file(statement, language=language) if language else statement_json_file(statement)


def look_at_decision(decision: Decision, *, access: Access) -> DecisionPage:
    """A decision with its reasons; that it was looked at is written down first."""
    _looked(decision.resident_ref, f"decision {decision.number}", access)
    return page_of(decision)


def read_letter(decision: Decision, *, language: Language, access: Access) -> File:
    """A decision's letter; written down first. Raises DocumentUnprintable."""
    _looked(decision.resident_ref, f"letter {decision.number}", access)
    return letter_file(letter_of(decision), language=language)


def _looked(resident_ref: UUID, what: str, access: Access) -> None:
    record_accesses(access, [resident_ref], what=what, at=timezone.now())
