"""Who is named as proxy in tests, and for whom they act."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.portal.models import Account
from apps.residents.acting import SEE, Terms
from apps.residents.models import Membership, Proxy
from apps.residents.operations import Home, place_in_households
from apps.residents.operations.proxies import Asked, make_code, name_proxy, seeker_of
from tests.pages import PASSWORD

IN_PORTAL = Asked("resident", "portal")
AT_WINDOW = Asked("user:ann", "window", "Setagaya")
EN = {"accept-language": "en"}


def named(
    resident: UUID, proxy: UUID, *rights: str, asked: Asked = IN_PORTAL, at: datetime | None = None, **terms: Any
) -> Proxy:
    """A proxy, named with a code as everybody is."""
    now = at or timezone.now()
    given = Terms(frozenset(rights or (SEE,)), **{"until": now + timedelta(days=30), **terms})
    code = make_code(proxy, at=now, actor="test").code
    return name_proxy(resident, code, given, asked=asked, seeker=seeker_of(resident), at=now)


def signed_up(name: str, ref: UUID) -> Client:
    """A browser of a resident who can sign in, in English."""
    user = User.objects.create_user(name, password=PASSWORD)
    Account.objects.create(user=user, resident_ref=ref)
    client = Client(headers=EN)
    client.force_login(user)
    return client


def act(client: Client, proxy: Proxy) -> Client:
    """Begin to act as this proxy."""
    assert client.post("/acting", {"grant": f"{proxy.kind}-{proxy.pk}"}).status_code == 302
    return client


def act_for_child(client: Client, child: UUID) -> Client:
    """Begin to act for a child."""
    stay = Membership.objects.filter(resident=child).latest("pk")
    assert client.post("/acting", {"grant": f"parent-{stay.pk}"}).status_code == 302
    return client


def live_together(*refs: UUID, payees: dict[UUID, UUID] | None = None, start: date = date(2017, 1, 1)) -> UUID:
    """A household of these residents, the first its head; `payees` says to whom children's shares go."""
    home = uuid4()
    homes = [Home(ref, home, start, is_head=ref == refs[0], payee_ref=(payees or {}).get(ref)) for ref in refs]
    place_in_households(homes, at=timezone.now(), actor="test")
    return home
