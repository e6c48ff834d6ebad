"""What residents do about a purchase that is wrong or missing: dispute it, answer, withdraw the dispute, appeal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from apps.accruals.disputes import OPEN_AT_MOST, Missing, reply_due_date
from apps.accruals.models import DECIDED, UNFINISHED, Dispute, DisputeState
from apps.accruals.operations.amending import AmountsInvalid, check_amounts
from apps.accruals.operations.claiming import ClaimNotResident
from apps.accruals.operations.withdrawing import PurchaseMissing
from apps.accruals.queries.sales import SaleSeen, sale_seen
from apps.audit.operations import record_event
from apps.audit.states import change_of
from apps.kernel.errors import KanpuError
from apps.purchases.acceptance import Defect, YearRules, open_year, year_of
from apps.purchases.following import Amounts, Key
from apps.purchases.queries import year_rules
from apps.refunds.operations.deciding import TooLate
from apps.refunds.queries.disputes import dispute_of
from apps.residents.models import Photo
from apps.residents.operations.messages import tell
from apps.residents.operations.photos import keep_photo
from apps.residents.queries import was_resident

OPENING_LOCK: Final = 20150912  # the class of the advisory locks taken by resident


class AlreadyDisputed(KanpuError):
    """The same was disputed before: it is open, or was decided, and then an appeal is the way."""

    code = "already_disputed"


class TooManyDisputes(KanpuError):
    """The resident has too many disputes open at once."""

    code = "too_many_disputes"


class DisputeClosed(KanpuError):
    """The dispute is in no state in which this can be done."""

    code = "dispute_closed"


class DayRefused(KanpuError):
    """A purchase of this time is not taken: its year is not started or closed, or it is yet to come."""

    code = "day_refused"

    def __init__(self, defect: str) -> None:
        super().__init__(f"A purchase of this time is not taken: {defect}.")
        self.defect = defect


class PhotoNotAsked(KanpuError):
    """Nobody asked for a photo."""

    code = "photo_not_asked"


@dataclass(frozen=True, slots=True)
class Objection:
    """What a resident says of a purchase: `amounts`, minor units by tier, for a wrong tier; and in words."""

    kind: Dispute.Kind
    words: str
    amounts: Mapping[str, int]


def check_objection(resident_ref: UUID, key: Key, objection: Objection) -> SaleSeen:
    """The counted purchase that is disputed. Raises PurchaseMissing, AlreadyDisputed and AmountsInvalid."""
    sale = sale_seen(resident_ref, key)
    if sale is None or not sale.is_counted:
        raise PurchaseMissing("There is no such purchase that counts.")
    again = Dispute.objects.filter(terminal_id=key.terminal_id, seq=key.seq, resident_ref=resident_ref)
    if again.filter(Q(state__in=UNFINISHED) | Q(state__in=("partly", "refused")), kind=objection.kind).exists():
        raise AlreadyDisputed("This was disputed before: look at your disputes.")
    if objection.kind == Dispute.Kind.WRONG_TIER:
        _check_amounts(objection.amounts, sale.at)
        if objection.amounts == sale.sold:
            raise AmountsInvalid("These are the amounts that the purchase has already.")
    return sale


def check_missing(resident_ref: UUID, missing: Missing, *, now: datetime) -> YearRules:
    """The year that takes a missing purchase, as it would take a till's today.

    Raises DayRefused, AmountsInvalid, ClaimNotResident, AlreadyDisputed.
    """
    rules = open_year(missing.at, "at", f"0\n{missing.at.isoformat()}\nsale\n-\n-\n", year_rules(), now)
    if isinstance(rules, Defect):
        raise DayRefused(rules.code)
    check_amounts(missing.amounts, missing.at, rules)
    if not was_resident(resident_ref, missing.at.astimezone(rules.zone).date()):
        raise ClaimNotResident("You were not resident on that day: the purchase would bring you nothing.")
    same = Dispute.objects.filter(resident_ref=resident_ref, kind=Dispute.Kind.MISSING, bought_at=missing.at)
    if same.filter(Q(state__in=UNFINISHED) | Q(state__in=DECIDED), amounts=dict(missing.amounts)).exists():
        raise AlreadyDisputed("You reported the same purchase before: look at your disputes.")
    return rules


@transaction.atomic
def dispute_purchase(resident_ref: UUID, key: Key, objection: Objection, *, at: datetime, actor: str) -> Dispute:
    """Dispute a counted purchase. Raises what check_objection raises, and TooManyDisputes."""
    _one_at_a_time(resident_ref)
    sale = check_objection(resident_ref, key, objection)
    return _open(
        resident_ref,
        {
            "kind": objection.kind,
            "tax_year": sale.tax_year,
            "terminal_id": key.terminal_id,
            "seq": key.seq,
            "bought_at": sale.at,
            "amounts": dict(objection.amounts) if objection.kind == Dispute.Kind.WRONG_TIER else {},
            "words": objection.words,
        },
        at=at,
        actor=actor,
    )


@transaction.atomic
def report_missing(resident_ref: UUID, missing: Missing, *, words: str, at: datetime, actor: str) -> Dispute:
    """Report a purchase that is not there. Raises what check_missing raises, and TooManyDisputes."""
    _one_at_a_time(resident_ref)
    rules = check_missing(resident_ref, missing, now=at)
    return _open(
        resident_ref,
        {
            "kind": Dispute.Kind.MISSING,
            "tax_year": rules.year,
            "shop": missing.shop,
            "bought_at": missing.at,
            "receipt_number": missing.receipt_number,
            "amounts": dict(missing.amounts),
            "words": words,
        },
        at=at,
        actor=actor,
    )


def _one_at_a_time(resident_ref: UUID) -> None:
    """Until commit nobody else opens a dispute of the resident's: what was sent twice is found to be the same."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [OPENING_LOCK, str(resident_ref)])


def _open(resident_ref: UUID, fields: Mapping[str, Any], *, at: datetime, actor: str) -> Dispute:
    if Dispute.objects.filter(resident_ref=resident_ref, state__in=UNFINISHED).count() >= OPEN_AT_MOST:
        raise TooManyDisputes(f"{OPEN_AT_MOST} disputes are open. Wait for an answer, or withdraw one.")
    due_date = reply_due_date(timezone.localdate(at))
    dispute = Dispute.objects.create(resident_ref=resident_ref, opened_at=at, reply_due_date=due_date, **fields)
    record(dispute, "dispute.open", at=at, actor=actor, kind=dispute.kind)
    tell([resident_ref], "dispute_received", at=at, number=dispute.number, dispute=dispute.pk)
    return dispute


@transaction.atomic
def answer_question(dispute_id: int, *, text: str, picture: bytes | None, at: datetime, actor: str) -> Dispute:
    """Answer an officer's question, with the photo if one was asked for.

    Raises DisputeMissing, DisputeClosed, PhotoNotAsked, PictureRefused.
    """
    dispute = dispute_of(dispute_id, lock=True)
    if dispute.state != DisputeState.ASKED:
        raise DisputeClosed("Nobody asks anything about this dispute.")
    if picture is not None:
        if not dispute.wants_photo:
            raise PhotoNotAsked("No photo was asked for: none is taken.")
        drop_photo(dispute)
        dispute.photo = keep_photo(dispute.resident_ref, picture, at=at)
    dispute.state, dispute.answered_at, dispute.answer = DisputeState.ANSWERED, at, text
    dispute.save()
    record(dispute, "dispute.answer", at=at, actor=actor, photo=picture is not None)
    return dispute


@transaction.atomic
def withdraw_dispute(dispute_id: int, *, at: datetime, actor: str) -> Dispute:
    """Give a dispute up before it is decided; the purchase stays as it is. Raises DisputeMissing, DisputeClosed."""
    dispute = dispute_of(dispute_id, lock=True)
    if not dispute.is_undecided:
        raise DisputeClosed("This dispute is decided, or was withdrawn.")
    drop_photo(dispute)
    dispute.state = DisputeState.WITHDRAWN
    dispute.save()
    record(dispute, "dispute.withdraw", at=at, actor=actor)
    return dispute


@transaction.atomic
def appeal_dispute(dispute_id: int, *, words: str, at: datetime, actor: str) -> Dispute:
    """Appeal against a decision. Raises DisputeMissing, DisputeClosed, TooLate."""
    dispute = dispute_of(dispute_id, lock=True)
    if not dispute.can_be_appealed or dispute.appeal_until is None:
        raise DisputeClosed("There is no decision to appeal against, or an appeal was made.")
    if timezone.localdate(at) > dispute.appeal_until:
        raise TooLate(f"An appeal could be made until {dispute.appeal_until}.")
    dispute.state, dispute.appealed_at, dispute.appeal_words = DisputeState.APPEALED, at, words
    dispute.save()
    record(dispute, "dispute.appeal", at=at, actor=actor)
    return dispute


def drop_photo(dispute: Dispute) -> None:
    """Delete the photo of a locked dispute, in the caller's transaction; the caller saves the dispute."""
    if dispute.photo_id is not None:
        photo_id, dispute.photo = dispute.photo_id, None
        Dispute.objects.filter(pk=dispute.pk).update(photo=None)
        Photo.objects.filter(pk=photo_id).delete()


def record(dispute: Dispute, action: str, *, at: datetime, actor: str, **detail: object) -> None:
    """Put it on the trail: which dispute, never which purchase or what was said, which may have to be forgotten."""
    record_event(at=at, actor=actor, action=action, subject=f"dispute:{dispute}", detail=detail, **change_of(dispute))


def _check_amounts(amounts: Amounts, at: datetime) -> None:
    rules = year_of(at, year_rules())
    if rules is None:
        raise AmountsInvalid("The year of this purchase is not started.")
    check_amounts(amounts, at, rules)
