"""Who acts for whom now."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.db.models import Exists, F, Max, OuterRef, QuerySet
from django.utils import timezone

from apps.residents.acting import DISPUTE, PAYMENT, SEE, Grant, Relation
from apps.residents.models import Membership, Proxy, ProxyDay, RegisterEvent

ROWS: Final = 20  # of a list, the newest
OF_PARENTS: Final = frozenset({SEE, DISPUTE})


@dataclass(frozen=True, slots=True)
class ProxyOf:
    """A proxy of a resident, whether in force, and the last day on which it was used."""

    proxy: Proxy
    is_in_force: bool
    last_day: date | None

    @property
    def was_stopped(self) -> bool:
        """Whether it counts no more though its time is not over: the resident's protection changed since."""
        upper = self.proxy.valid.upper
        return not self.is_in_force and upper is not None and upper > timezone.now()

    @property
    def rights(self) -> frozenset[str]:
        """What the proxy was given."""
        return rights_of(self.proxy)


def in_force(at: datetime) -> "QuerySet[Proxy]":
    """Proxies that count at a time.

    One that was named before the register recorded that the resident's protection (支援措置) began or ended counts no
    more: whoever named it may have been made to.
    """
    protected = RegisterEvent.objects.filter(
        resident=OuterRef("resident"), kind=RegisterEvent.Kind.PROTECTION, recorded_at__gte=OuterRef("started_at")
    )
    dated = Proxy.objects.filter(valid__contains=at).annotate(started_at=F("valid__startswith"))
    return dated.filter(~Exists(protected))


def rights_of(proxy: Proxy) -> frozenset[str]:
    """What a proxy was given."""
    given = ((SEE, proxy.may_see), (DISPUTE, proxy.may_dispute), (PAYMENT, proxy.may_pay))
    return frozenset(right for right, is_given in given if is_given)


def grant_over(agent_ref: UUID, key: str, *, at: datetime) -> Grant | None:
    """What somebody may do by one of the own grants, if it counts now: two queries, one for a proxy."""
    relation, _, number = key.partition("-")
    if not number.isdecimal() or len(number) > 19:
        return None
    if relation == Relation.PARENT:
        child = _children(agent_ref, at).filter(pk=int(number)).first()
        return _of_child(child) if child else None
    proxy = in_force(at).filter(pk=int(number), proxy=agent_ref).first()
    return _of_proxy(proxy) if proxy else None


def grants_of(agent_ref: UUID, *, at: datetime) -> list[Grant]:
    """For whom somebody may act now, children first: two queries."""
    proxies = in_force(at).filter(proxy=agent_ref).order_by("valid")
    return [*map(_of_child, _children(agent_ref, at)), *map(_of_proxy, proxies)]


def proxies_of(resident_ref: UUID, *, at: datetime) -> list[ProxyOf]:
    """Who acts for a resident or did, those in force first, then the newest: three queries."""
    proxies = list(Proxy.objects.filter(resident=resident_ref).order_by("-valid")[:ROWS])
    good = set(in_force(at).filter(resident=resident_ref).values_list("pk", flat=True))
    days = ProxyDay.objects.filter(resident=resident_ref).values_list("proxy_id")
    last = dict(days.annotate(last=Max("day")).order_by())
    found = [ProxyOf(proxy, proxy.pk in good, last.get(proxy.proxy_id)) for proxy in proxies]
    return sorted(found, key=lambda one: not one.is_in_force)


def who_may_pay(resident_ref: UUID, *, at: datetime) -> set[UUID]:
    """The proxies and guardians who may now say where a resident's refund is paid to: one query.

    An account in the name of one of them is never taken without review, whoever enters it.
    """
    return set(in_force(at).filter(resident=resident_ref, may_pay=True).values_list("proxy_id", flat=True))


def _children(parent_ref: UUID, at: datetime) -> "QuerySet[Membership]":
    """Whose share is paid to this parent today. A protected child is hidden from the household, parents too."""
    stays = Membership.objects.filter(payee=parent_ref, valid__contains=timezone.localdate(at))
    return stays.filter(resident__is_protected=False).order_by("resident")


def _of_child(stay: Membership) -> Grant:
    return Grant(f"{Relation.PARENT}-{stay.pk}", stay.resident_id, Relation.PARENT, OF_PARENTS, shows_name=True)


def _of_proxy(proxy: Proxy) -> Grant:
    relation, valid = Relation(proxy.kind), proxy.valid
    is_told = proxy.shows_name or relation == Relation.GUARDIAN
    return Grant(
        f"{relation}-{proxy.pk}", proxy.resident_id, relation, rights_of(proxy), is_told, proxy.pk, valid.lower,
        valid.upper,
    )  # fmt: skip
