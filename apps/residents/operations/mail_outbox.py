"""The outbox of e-mail: what is due is claimed, then sent outside of any transaction, then taken out.

A claim moves what is due ahead by LEASE, so nobody else takes it meanwhile; who dies leaves it there, and it is due
again. So nothing is lost, and a mail may come twice when its sender dies between sending and saying so.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Max, Q

from apps.residents.models import Mail, Mailing, Message
from apps.residents.notice_codes import code_hash, new_code

CLAIMED: Final = 50  # mails a claim: with EMAIL_TIMEOUT of 10 s each, all are over before LEASE is
LEASE: Final = timedelta(minutes=10)
APART: Final = timedelta(hours=1)  # between two mails to one resident
CODES_APART: Final = timedelta(minutes=2)
CODE_HOURS: Final = timedelta(hours=24)
AGAIN: Final = (
    timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(hours=24),
)  # fmt: skip
CLAIM: Final = """
WITH due AS (
    SELECT message_id FROM residents_mail WHERE due_at <= %(now)s AND given_up_at IS NULL
    ORDER BY due_at, message_id LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE residents_mail m SET due_at = %(until)s, tries = m.tries + 1 FROM due WHERE m.message_id = due.message_id
RETURNING m.message_id, m.resident_ref
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one mail is to say: the kinds of these messages, or a code; in the resident's language."""

    ref: UUID
    language: str
    stop_token: UUID
    message_ids: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()
    code: str = ""


@transaction.atomic
def claim_mails(*, now: datetime) -> list[Claim]:
    """Claim some of what is due: one mail a resident, of all that is due for them. What was read needs no mail.

    A resident who got a mail within the hour waits for the next one, with all that comes until then.
    """
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"now": now, "until": now + LEASE, "most": CLAIMED})
        claimed: dict[UUID, list[int]] = defaultdict(list)
        for message_id, ref in cursor.fetchall():
            claimed[ref].append(message_id)
    granted = _granted(claimed, now)
    _put_off({ref: ids for ref, ids in claimed.items() if ref not in granted}, now)
    return [_claim(mailing, now) for mailing in granted.values()]


def _granted(claimed: Collection[UUID], now: datetime) -> dict[UUID, Mailing]:
    """The residents to whom a mail may go now, locked until commit; nobody else sends them one meanwhile."""
    may = Q(confirmed_at__isnull=False, next_at__lte=now) & ~Q(wants=Mailing.Wants.NONE)
    rows = Mailing.objects.filter(may, pk__in=claimed).select_related("resident").order_by("pk")
    granted = {mailing.pk: mailing for mailing in rows.select_for_update(of=("self",), skip_locked=True)}
    Mailing.objects.filter(pk__in=granted).update(next_at=now + LEASE)
    return granted


def _put_off(claimed: Mapping[UUID, Collection[int]], now: datetime) -> None:
    """Those who had a mail just now get these later; those who want none any more, never."""
    if not claimed:
        return
    wanting = Mailing.objects.filter(pk__in=claimed, confirmed_at__isnull=False).exclude(wants=Mailing.Wants.NONE)
    later = dict(wanting.values_list("pk", "next_at"))
    Mail.objects.filter(resident_ref__in=claimed.keys() - later.keys()).delete()
    for ref, next_at in later.items():
        Mail.objects.filter(pk__in=claimed[ref]).update(due_at=max(next_at, now + LEASE), tries=F("tries") - 1)


def _claim(mailing: Mailing, now: datetime) -> Claim:
    """All that waits for the resident, claimed with it."""
    waiting = Mail.objects.select_for_update().filter(resident_ref=mailing.pk, given_up_at=None)
    ids = list(waiting.order_by("pk").values_list("pk", flat=True))
    Mail.objects.filter(pk__in=ids).update(due_at=now + LEASE)
    kinds = Message.objects.filter(pk__in=ids, read_at=None).order_by("-pk").values_list("kind", flat=True)
    return Claim(mailing.pk, mailing.resident.language, mailing.stop_token, tuple(ids), tuple(dict.fromkeys(kinds)))


@transaction.atomic
def claim_codes(*, now: datetime) -> list[Claim]:
    """Claim addresses that are to be confirmed, and draw a code for each: the last one sent is the one that is good."""
    waiting = Mailing.objects.filter(asked_at__isnull=False, next_at__lte=now).select_related("resident")
    rows = list(waiting.order_by("next_at")[:CLAIMED].select_for_update(of=("self",), skip_locked=True))
    claims = []
    for mailing in rows:
        code = new_code()
        mailing.code_hash, mailing.code_until, mailing.next_at = code_hash(code), now + CODE_HOURS, now + LEASE
        claims.append(Claim(mailing.pk, mailing.resident.language, mailing.stop_token, code=code))
    Mailing.objects.bulk_update(rows, ["code_hash", "code_until", "next_at"])
    return claims


@transaction.atomic
def note_sent(claim: Claim, *, now: datetime) -> None:
    """The mail has left, or nothing was left to say: it comes out of the outbox."""
    if claim.code:
        Mailing.objects.filter(pk=claim.ref).update(next_at=now + CODES_APART, asked_at=None, code_tries=0)
        return
    Mail.objects.filter(pk__in=claim.message_ids).delete()
    Mailing.objects.filter(pk=claim.ref).update(next_at=now + APART if claim.kinds else now)


@transaction.atomic
def note_failed(claim: Claim, *, now: datetime) -> None:
    """The mail has not left: it is tried again, ever later, and after the last try given up."""
    if claim.code:
        failed = Mailing.objects.select_for_update().filter(pk=claim.ref).first()
        if failed:
            failed.next_at, failed.code_tries = now + AGAIN[min(failed.code_tries, 4)], failed.code_tries + 1
            failed.asked_at = failed.asked_at if failed.code_tries < len(AGAIN) else None
            failed.save(update_fields=["next_at", "code_tries", "asked_at"])
        return
    mine = Mail.objects.filter(pk__in=claim.message_ids)
    tries = mine.aggregate(tries=Max("tries"))["tries"] or 1
    mine.filter(tries__gte=len(AGAIN)).update(given_up_at=now)
    again_at = now + AGAIN[min(tries, len(AGAIN)) - 1]
    mine.filter(given_up_at=None).update(due_at=again_at)
    Mailing.objects.filter(pk=claim.ref).update(next_at=again_at)


def retry_given_up(*, now: datetime) -> int:
    """Take up again what was given up. Returns how many."""
    return Mail.objects.exclude(given_up_at=None).update(given_up_at=None, tries=0, due_at=now)


def waiting() -> Mapping[str, int]:
    """How many mails wait, and how many were given up: two queries."""
    return {
        "waiting": Mail.objects.filter(given_up_at=None).count(),
        "given_up": Mail.objects.exclude(given_up_at=None).count(),
    }
