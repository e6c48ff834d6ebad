"""Naming who acts for a resident, and ending it. Both sides agree: one makes a code, the other enters it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from psycopg.types.range import TimestamptzRange

from apps.audit.operations import Cause, raise_alarms, record_event
from apps.audit.states import change_of
from apps.kernel.errors import KanpuError
from apps.residents.acting import DISPUTE, PAYMENT, SEE, Grant, Relation, Terms
from apps.residents.models import Proxy, ProxyCode, ProxyCodeMiss, ProxyDay, Resident
from apps.residents.models.proxies import LONGEST, LONGEST_OF_GUARDIANS, Channel
from apps.residents.notice_codes import new_code, proxy_code_hash, typed
from apps.residents.operations.messages import tell
from apps.residents.queries.proxies import in_force, rights_of

CODE_FOR: Final = timedelta(days=7)  # time for a letter with it to arrive
MISSES: Final = 10
MISSES_WITHIN: Final = timedelta(hours=24)
MISS_LOCK: Final = 20150911  # the class of the advisory locks taken by who enters codes
RENEWED_FOR: Final = timedelta(days=365)


class ProxyCodeUnknown(KanpuError):
    """Nobody has this code, or it is too old, used, or replaced by a newer one."""

    code = "proxy_code_unknown"


class TooManyCodes(KanpuError):
    """Too many codes that were nobody's."""

    code = "rate_limited"


class OwnProxy(KanpuError):
    """Nobody is named as the own proxy."""

    code = "own_proxy"


class ProxyTooLong(KanpuError):
    """The time is over already, or longer than is allowed."""

    code = "proxy_too_long"


class ProxyMissing(KanpuError):
    """There is no such proxy, or it has ended."""

    code = "proxy_missing"


class Made(NamedTuple):
    """A fresh code, which nobody can tell from the database, and until when it is good."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """Who enters something for a resident, and how the resident asked for it: `office` is empty in the portal."""

    actor: str
    channel: str
    office: str = ""


@transaction.atomic
def make_code(agent_ref: UUID, *, at: datetime, actor: str) -> Made:
    """A one-time code of somebody who wants to act for another. An earlier one is void."""
    Resident.objects.select_for_update(no_key=True).get(pk=agent_ref)  # one code at a time
    ProxyCode.objects.filter(proxy=agent_ref, spent_at=None).update(spent_at=at)
    made = Made(new_code(), at + CODE_FOR)
    ProxyCode.objects.create(
        proxy_id=agent_ref, code_hash=proxy_code_hash(made.code), created_at=at, expires_at=made.expires_at
    )
    record_event(at=at, actor=actor, action="proxy.code", subject=f"resident:{agent_ref}", detail={})
    return made


def owner_of_code(code: str, *, resident_ref: UUID, seeker: str, at: datetime) -> UUID:
    """Who wants to act, by the code that the resident was shown; nothing is changed. Not inside a transaction.

    Each wrong code of a `seeker` is counted; after MISSES within a day nothing is looked up, and an alarm is raised.
    Raises TooManyCodes, ProxyCodeUnknown, OwnProxy.
    """
    miss = _count_miss(seeker, at)
    found = ProxyCode.objects.filter(code_hash=proxy_code_hash(typed(code)), spent_at=None, expires_at__gt=at).first()
    if found is None:
        raise ProxyCodeUnknown("Nobody has this code, or it is no longer good. Ask for a new one.")
    miss.delete()
    if found.proxy_id == resident_ref:
        raise OwnProxy("This is your own code: give it to the resident for whom you want to act.")
    return found.proxy_id


def name_proxy(resident_ref: UUID, code: str, terms: Terms, *, asked: Asked, seeker: str, at: datetime) -> Proxy:
    """Have the one who made a code act for a resident from now on; it takes the place of what that one had before.

    Raises what `owner_of_code` raises, and ProxyTooLong.
    """
    owner_of_code(code, resident_ref=resident_ref, seeker=seeker, at=at)
    longest = LONGEST_OF_GUARDIANS if terms.document else LONGEST
    if not at < terms.until <= at + longest:
        raise ProxyTooLong(f"Choose an end that is to come, and within {longest.days} days.")
    with transaction.atomic():
        Resident.objects.select_for_update(no_key=True).get(
            pk=resident_ref
        )  # one naming at a time; the other may be naming as well
        agent_ref = _spend(code, at)
        for before in Proxy.objects.filter(resident=resident_ref, proxy=agent_ref, valid__contains=at):
            _end(before, at=at, actor=asked.actor)
        proxy = _create(resident_ref, agent_ref, terms, asked, at)
        tell([resident_ref], "proxy_named", at=at)
        tell([agent_ref], "proxy_accepted", at=at)
    return proxy


@transaction.atomic
def renew_proxy(resident_ref: UUID, proxy_id: int, *, asked: Asked, at: datetime) -> Proxy:
    """Have a proxy go on for another year from now, with the same rights. Raises ProxyMissing; guardians' as well."""
    Resident.objects.select_for_update(no_key=True).get(pk=resident_ref)
    found = in_force(at).filter(pk=proxy_id, resident=resident_ref, kind=Proxy.Kind.NAMED).first()
    if found is None:
        raise ProxyMissing("There is no such proxy, or it has ended. Name it again with a new code.")
    _end(found, at=at, actor=asked.actor)
    terms = Terms(rights_of(found), at + RENEWED_FOR, found.shows_name)
    proxy = _create(resident_ref, found.proxy_id, terms, asked, at)
    tell([resident_ref], "proxy_named", at=at)
    return proxy


@transaction.atomic
def end_proxy(party_ref: UUID, proxy_id: int, *, asked: Asked, at: datetime) -> None:
    """End it at once, by either side. A guardian is ended at an office only. Raises ProxyMissing."""
    found = Proxy.objects.select_for_update().filter(pk=proxy_id, valid__contains=at).first()
    if found is None or party_ref not in (found.resident_id, found.proxy_id):
        raise ProxyMissing("There is no such proxy, or it has ended already.")
    if found.kind == Proxy.Kind.GUARDIAN and asked.channel == Channel.PORTAL:
        raise ProxyMissing("A guardian is ended at a window, with the court's document.")
    _end(found, at=at, actor=asked.actor)
    record_event(
        at=at, actor=asked.actor, action="proxy.end", subject=f"resident:{found.resident_id}",
        detail={"proxy": found.pk, "channel": asked.channel, "office": asked.office}, **change_of(found),
    )  # fmt: skip
    tell([found.resident_id], "proxy_ended", at=at)
    tell([found.proxy_id], "acting_ended", at=at)


def note_acting(agent_ref: UUID, grant: Grant, *, at: datetime) -> None:
    """Tell a resident, once a day for each who does, that somebody acts for them today: one query where told before."""
    day: dict[str, Any] = {"resident_id": grant.resident_ref, "proxy_id": agent_ref, "day": timezone.localdate(at)}
    if ProxyDay.objects.filter(**day).exists():
        return
    with transaction.atomic():
        _, is_new = ProxyDay.objects.get_or_create(**day)
        if is_new:
            tell([grant.resident_ref], "proxy_used", at=at, relation=grant.relation)


def forget_acting(ref: UUID) -> None:
    """Forget for whom somebody acts or acted, and who for them, in the caller's transaction. The trail stays."""
    for model in (Proxy, ProxyDay):
        model.objects.filter(resident=ref).delete()
        model.objects.filter(proxy=ref).delete()
    ProxyCode.objects.filter(proxy=ref).delete()
    ProxyCodeMiss.objects.filter(actor=seeker_of(ref)).delete()


def seeker_of(resident_ref: UUID) -> str:
    """Under what name a resident's wrong codes are counted."""
    return f"resident:{resident_ref}"


def _count_miss(seeker: str, at: datetime) -> ProxyCodeMiss:
    """Count a code before it is looked up, one at a time for who enters it. Raises TooManyCodes, with an alarm."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [MISS_LOCK, seeker])
        if ProxyCodeMiss.objects.filter(actor=seeker, at__gt=at - MISSES_WITHIN).count() < MISSES:
            return ProxyCodeMiss.objects.create(actor=seeker, at=at)
    day = timezone.localdate(at)
    raise_alarms([Cause("proxy_code_guessing", f"{seeker}:{day}", {"seeker": seeker, "misses": MISSES})], at=at)
    raise TooManyCodes(f"{MISSES} codes in 24 hours were nobody's. Wait until tomorrow.")


def _spend(code: str, at: datetime) -> UUID:
    found = ProxyCode.objects.select_for_update().filter(
        code_hash=proxy_code_hash(typed(code)), spent_at=None, expires_at__gt=at
    )
    live = found.first()
    if live is None:
        raise ProxyCodeUnknown("The code was used just now.")
    live.spent_at = at
    live.save(update_fields=["spent_at"])
    return live.proxy_id


def _create(resident_ref: UUID, agent_ref: UUID, terms: Terms, asked: Asked, at: datetime) -> Proxy:
    kind = Relation.GUARDIAN if terms.document else Relation.NAMED
    proxy = Proxy.objects.create(
        resident_id=resident_ref, proxy_id=agent_ref, kind=kind, may_see=SEE in terms.rights,
        may_dispute=DISPUTE in terms.rights, may_pay=PAYMENT in terms.rights, shows_name=terms.shows_name,
        valid=TimestamptzRange(at, terms.until), channel=asked.channel, office=asked.office, named_by=asked.actor,
        document=terms.document, document_date=terms.document_date,
    )  # fmt: skip
    detail = {"proxy": proxy.pk, "kind": kind, "rights": sorted(terms.rights), "until": terms.until.isoformat()}
    record_event(
        at=at, actor=asked.actor, action="proxy.name", subject=f"resident:{resident_ref}",
        detail={**detail, "channel": asked.channel, "office": asked.office}, **change_of(proxy),
    )  # fmt: skip
    return proxy


def _end(proxy: Proxy, *, at: datetime, actor: str) -> None:
    """From now on it counts no more. One that began at this very moment never was."""
    if proxy.valid.lower is None or proxy.valid.lower >= at:
        proxy.delete()
        return
    proxy.valid = TimestamptzRange(proxy.valid.lower, at)
    proxy.ended_at, proxy.ended_by = at, actor
    proxy.save(update_fields=["valid", "ended_at", "ended_by"])
