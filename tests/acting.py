"""Who is named as proxy in tests, and for whom they act."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from apps.accruals.models import Dispute
from apps.portal import urls
from apps.portal.models import Account
from apps.portal.viewer import VIEWER
from apps.refunds.models import Decision
from apps.residents.acting import SEE, Terms
from apps.residents.models import Membership, Proxy
from apps.residents.operations import Home, place_in_households
from apps.residents.operations.proxies import Asked, make_code, name_proxy, seeker_of
from tests.inspecting import held
from tests.pages import PASSWORD, YEAR

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


def browser(name: str) -> Client:
    """A browser of a user whom there is, in English."""
    client = Client(headers=EN)
    client.force_login(User.objects.get(username=name))
    return client


def refused_dispute() -> int:
    """A decided dispute of hanako's, which has a letter."""
    now, ref = timezone.now(), Decision.objects.get().resident_ref
    decided: dict[str, Any] = {
        "state": "refused", "outcome": "refused", "office": "Tokyo", "reasons": "No such purchase.",
        "proposed_by": "ann", "approved_by": "ben", "proposed_at": now, "decided_at": now,
        "appeal_until": date(YEAR + 20, 1, 1),
    }  # fmt: skip
    return Dispute.objects.create(
        resident_ref=ref, kind="missing", tax_year=YEAR, shop="Shop", bought_at=now, amounts={"reduced": 100},
        opened_at=now, reply_due_date=timezone.localdate(), **decided,
    ).pk  # fmt: skip


def hearing(terminal: int) -> int:
    """What is held against hanako's purchase."""
    now, ref = timezone.now(), Decision.objects.get().resident_ref
    return held(ref, terminal, 1, year=YEAR, at=now).pk


def paths(terminal: int) -> dict[str, str]:
    """Each address of the portal, of something that there is."""
    samples = {
        "year": YEAR, "number": 1, "decision_id": Decision.objects.get().pk, "card_id": 1, "proxy_id": 1,
        "terminal_id": terminal, "seq": 1, "dispute_id": refused_dispute(), "bank": "0001", "branch": "001",
        "record_id": 1, "stop_token": uuid4(), "hearing_id": hearing(terminal),
    }  # fmt: skip
    found = {}
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        arguments = {key: samples[key] for key in pattern.pattern.converters} | pattern.default_args
        found[str(pattern.name)] = reverse(str(pattern.name), kwargs=arguments)
    return found


def status_of(client: Client, path: str, method: str = "get") -> int:
    """A page's status; 200 as well where its guard let the proxy through to what no till has sent."""
    response: Any = getattr(client, method)(path)
    is_let_through = VIEWER in response.wsgi_request.META and path.endswith(("/dispute", "/answer"))
    return 200 if is_let_through else int(response.status_code)
