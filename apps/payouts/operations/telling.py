"""Telling residents what became of a payment, in the transaction in which it does."""

from collections.abc import Iterable
from datetime import datetime

from apps.payouts.models import LETTER, Attempt, Batch, Obligation, PayableLetter
from apps.payouts.outcomes import RETURNED, SENT, WORDS
from apps.residents.models import Resident
from apps.residents.operations.messages import tell_each


def tell_said(attempts: Iterable[Attempt], *, at: datetime) -> None:
    """Tell who is owed, and who else is paid, what was said last of each attempt: nine statements at most.

    That of a protected resident is told to nobody else.
    """
    known = list(attempts)
    owed = Obligation.objects.in_bulk([one.obligation_id for one in known])
    elsewhere = [one.resident_ref for one in owed.values() if one.payee_kind != Obligation.Payee.RESIDENT]
    hidden = set(Resident.objects.filter(pk__in=elsewhere, is_protected=True).values_list("pk", flat=True))
    for said in WORDS:
        found = [owed[one.obligation_id] for one in known if one.said == said and not _is_uncashed(one)]
        shares = [one for one in found if one.payee_ref != one.resident_ref and one.resident_ref not in hidden]
        tell_each([(one.resident_ref, _detail(one)) for one in found], f"payment_{said}", at=at)
        tell_each([(one.payee_ref, _detail(one)) for one in shares], f"share_{said}", at=at)

    uncashed = [owed[one.obligation_id] for one in known if _is_uncashed(one)]
    tell_each([(one.payee_ref, _detail(one)) for one in uncashed], "letter_uncashed", at=at)


def tell_own(obligations: Iterable[Obligation], *, at: datetime) -> None:
    """Tell those who are paid themselves by now that what they are owed goes to the head no more."""
    own = [one for one in obligations if one.payee_kind == Obligation.Payee.RESIDENT]
    tell_each([(one.resident_ref, _detail(one)) for one in own], "own_payment", at=at)


def tell_letters(batch: Batch, *, at: datetime) -> None:
    """Tell those to whom a batch's letters go that they are on their way."""
    letters = PayableLetter.objects.filter(attempt__batch=batch, attempt__state=SENT)
    each = [
        (one.attempt.obligation.payee_ref, {**_detail(one.attempt.obligation), "until": f"{one.valid_until_date}"})
        for one in letters.select_related("attempt__obligation").order_by("attempt")
    ]
    tell_each(each, "letter_payable", at=at)


def _is_uncashed(attempt: Attempt) -> bool:
    return attempt.rail == LETTER and attempt.said == RETURNED


def _detail(owed: Obligation) -> dict[str, object]:
    return {"year": owed.tax_year, "run": owed.run, "amount_minor": owed.amount_minor}
