"""Three hundred more of everything that a site has: pages must cost the same."""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import uuid4

from django.contrib.auth.models import User
from django.utils import timezone
from psycopg.types.range import DateRange, TimestamptzRange

from apps.accruals.models import Dispute, Withheld
from apps.audit.models import AccessRecord
from apps.audit.officers import Role
from apps.merchants.models import Merchant
from apps.merchants.operations import enrol_terminal
from apps.refunds.models import Decision
from apps.residents.models import (
    AccessQuestion,
    Card,
    HouseholdConsent,
    Membership,
    Message,
    Notice,
    PaymentAccount,
    Proxy,
    ProxyDay,
    RecordingPause,
    RegisterEvent,
    Resident,
)
from tests.offices import (
    OFFICE,
)
from tests.pages import YEAR, buy
from tests.site import Site, session_of

MANY: Final = 300


def heap(site: Site) -> None:
    """Of everything that resident A has, MANY more."""
    ref, now = site.ref, timezone.now()
    merchant = Merchant.objects.get(name="Shop")
    terminal = enrol_terminal(merchant, "heap-1", store_name="Heap", at=now, actor="test").pk
    buy(ref, terminal, *[{"reduced": 100, "standard": 50}] * MANY, run=2)
    days = [date(2000, 1, 1) + timedelta(days=31 * n) for n in range(MANY)]
    moments = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    Withheld.objects.bulk_create(
        Withheld(
            resident_ref=ref, terminal_id=terminal, seq=1_000 + n, tax_year=YEAR, status="held", code="card_suspended",
            at=datetime(YEAR, 3, 1, 3, tzinfo=UTC) + timedelta(hours=n), decided_at=now,
        )
        for n in range(MANY)
    )  # fmt: skip
    Decision.objects.bulk_create(
        Decision(resident_ref=ref, tax_year=YEAR, run=1, kind="annulled", amount_minor=1, decided_at=now)
        for _ in range(MANY)
    )
    looked = AccessRecord.objects.bulk_create(
        AccessRecord(at=at, actor="user:sato", role=Role.CLERK, office=OFFICE, resident_ref=ref, what=what, purpose=why)
        for at in moments
        for what, why in (("page:cards", "card"), ("vault:person", "own page"))
    )
    AccessQuestion.objects.bulk_create(
        AccessQuestion(
            record=one, resident_ref=ref, looked_by=one.actor, office=OFFICE, asked_at=one.at, reply_by_date=days[0]
        )
        for one in looked[::2]
    )
    Message.objects.bulk_create(Message(resident_ref=ref, kind="card_suspended", at=at) for at in moments)
    RecordingPause.objects.bulk_create(
        RecordingPause(resident_id=ref, valid=TimestamptzRange(at, at + timedelta(days=1)))
        for at in moments
        if at.year < 2018
    )
    RegisterEvent.objects.bulk_create(
        RegisterEvent(resident_id=ref, kind="name", effective_date=day, recorded_at=now, actor="test") for day in days
    )
    Membership.objects.bulk_create(
        Membership(resident_id=ref, household_ref=uuid4(), valid=DateRange(start, end), is_head=True)
        for start, end in zip(_months(MANY), _months(MANY + 1)[1:], strict=True)
    )
    Card.objects.bulk_create(
        Card(
            resident_id=ref, card_index=n.to_bytes(32), issuer_version=1, valid_from=at, active_from=at,
            valid_until=at + timedelta(days=1_000), replaced_from=at + timedelta(days=1),
        )
        for n, at in enumerate(moments)
    )  # fmt: skip
    Notice.objects.bulk_create(
        Notice(
            resident_id=ref, code_hash=(10**6 + n).to_bytes(32), file="x.pdf", created_at=at, printed_at=at,
            expires_at=at + timedelta(days=60), spent_at=at,
        )
        for n, at in enumerate(moments)
    )  # fmt: skip
    _heap_sent(site, moments)


def _heap_sent(site: Site, moments: list[datetime]) -> None:
    """Disputes, accounts, proxies, those who named A as theirs, consents and browsers."""
    ref, other, month = site.ref, site.other, timedelta(days=30)
    purchase = {"terminal_id": site.samples["terminal_id"], "seq": site.samples["seq"]}
    Dispute.objects.bulk_create(
        Dispute(
            resident_ref=ref, tax_year=YEAR, bought_at=at, state="withdrawn", opened_at=at, reply_due_date=at.date(),
            **about,
        )
        for at in moments
        for about in ({"kind": "missing", "amounts": {"reduced": 100}}, {"kind": "not_mine", **purchase})
    )  # fmt: skip
    PaymentAccount.objects.bulk_create(
        PaymentAccount(
            resident_id=ref, kind="public", valid=TimestamptzRange(at, at + month), requested_at=at,
            requested_by="resident", channel="portal",
        )
        for at in moments
    )  # fmt: skip
    agent = Proxy.objects.get(pk=site.samples["proxy_id"]).proxy_id
    since = timezone.now()
    given = {"may_see": True, "channel": "portal", "named_by": "resident"}
    friends = Resident.objects.bulk_create(Resident(resident_from=date(2010, 4, 1)) for _ in moments)
    Proxy.objects.bulk_create(
        Proxy(resident=one, proxy_id=ref, valid=TimestamptzRange(since, since + month), **given) for one in friends
    )
    Proxy.objects.bulk_create(
        Proxy(
            resident_id=ref, proxy_id=one, valid=TimestamptzRange(at, at + month), ended_at=at + month,
            ended_by="resident", **given,
        )
        for at in moments
        for one in (agent, other)
    )  # fmt: skip
    ProxyDay.objects.bulk_create(ProxyDay(resident_id=ref, proxy_id=agent, day=at.date()) for at in moments)
    HouseholdConsent.objects.bulk_create(
        HouseholdConsent(
            resident_id=ref, household_ref=uuid4(), valid=TimestamptzRange(at, at + month), channel="portal",
            given_by="resident", withdrawn_by="resident",
        )
        for at in moments
    )  # fmt: skip
    for number in range(1, MANY + 1):
        session_of(User.objects.get(username="hanako"), number)


def _months(number: int) -> list[date]:
    """The first days of months from 1980 on, all of them before 2017."""
    return [date(1980 + n // 12, 1 + n % 12, 1) for n in range(number)]
