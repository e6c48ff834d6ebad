"""A world with something on every page, and who opens it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from django.utils import timezone
from psycopg.types.range import TimestamptzRange

from apps.accruals.models import Entry, Withheld
from apps.accruals.operations.counting import count_all
from apps.audit.access import Access
from apps.audit.models import AccessRecord, Alarm, Checkpoint, LogHead
from apps.audit.officers import Role
from apps.audit.operations import Cause, raise_alarms, record_accesses
from apps.audit.operations.delays import ask_delay
from apps.audit.operations.key_resets import ask_key_reset
from apps.inspections.models import Declaration, Sample, SampleItem
from apps.inspections.operations.alarms import find_alarms
from apps.inspections.operations.cases import write
from apps.inspections.operations.exporting import request_export
from apps.inspections.operations.packing import request_case_pack, run_requested_packs
from apps.inspections.operations.refreshing import refresh_year
from apps.inspections.operations.saved_searches import save_search
from apps.inspections.searching import MerchantSearch
from apps.merchants.models import Merchant, Terminal
from apps.merchants.operations import enrol_terminal
from apps.payouts.models import Attempt, AttemptEvent, Batch, Obligation, PaymentHold, ResultFile
from apps.payouts.operations.owing import hold_payments
from apps.portal.models import Account
from apps.purchases.models import Poison
from apps.purchases.poison import note_failure
from apps.refunds.models import Decision
from apps.refunds.operations import adjudicating
from apps.refunds.operations.approving import pay_run
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.disputing import answer_question
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.residents.models import (
    Card,
    CardSuspension,
    Mailing,
    Message,
    RecordingPause,
    RegisterEvent,
    Resident,
)
from apps.residents.operations import Home, place_in_households
from apps.residents.operations.break_glass import ask_to_break_glass
from apps.residents.operations.card_life import suspend_cards
from apps.residents.operations.questions import ask_why
from tests.accounts import STRANGERS
from tests.accounts import name as name_account
from tests.acting import named
from tests.addresses import ADDRESSES, RESIDENT_A, RESIDENT_B, STRANGER, SUPERUSER, TILL, Route
from tests.disputing import ANN, decide, object_to, report
from tests.inspecting import case_about, held_against
from tests.offices import (
    CODE,
    HANAKO,
    HOME,
    NUMBER,
    OFFICE,
    OTHER_NUMBER,
    identify,
    letter,
    officer,
    open_resident,
    signed_in,
)
from tests.pages import YEAR, approve, settle, state_purpose
from tests.payouts import bank
from tests.signing_in import give_factors
from tests.till import RawTill, send
from tests.unit.test_pictures import with_place
from tests.vault import enter
from tests.world import OTHER_TERMINAL, TERMINAL, World

SHOP: Final = "Only Hanako Buys Here"  # of resident A's purchases alone
SHUT: Final = ", nothing opened"  # officers who have not said yet whom they look at, and for what


@dataclass(frozen=True, slots=True)
class Site:
    """Residents A and B with a year that was settled, and what fills the arguments of addresses: all of it is A's."""

    world: World
    samples: dict[str, Any]

    @property
    def ref(self) -> UUID:
        """Resident A."""
        return self.world.residents[0]

    @property
    def other(self) -> UUID:
        """Resident B."""
        return self.world.residents[1]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no page of resident B's says."""
        return str(self.ref), NUMBER, CODE, HANAKO.name, HANAKO.name_kana, HOME.address, SHOP, "1,234,567"

    def path(self, route: Route, **others: Any) -> str:
        """The path with the samples in it, but for `others`."""
        return route.filled(self.arguments(route) | others)

    def arguments(self, route: Route) -> dict[str, Any]:
        """The samples that fill a route's arguments."""
        named = ADDRESSES[route.name].arguments
        return {argument: self.samples[named.get(argument, argument)] for argument in route.types}


def furnish(world: World) -> Site:
    """Residents A and B sign in as hanako and taro. A has something on every page, B a purchase and a card."""
    now = timezone.now()
    ref, other = world.residents
    for name, resident in (("hanako", ref), ("taro", other)):
        Account.objects.create(user=User.objects.create_user(name), resident_ref=resident)
    identify(ref)
    enter(other, number=OTHER_NUMBER)
    _settled_year(world)
    till = _this_year(world, now)
    _household(world, now)
    _looked_at(ref, now)
    Checkpoint.objects.create(size=1, root=b"r" * 32, at=now, note="kanpu/audit")
    terminal_id = Terminal.objects.get(code=TERMINAL).pk
    note_failure(Poison.Kind.CLOSING, terminal_id, 1, reason="DataError 22003", at=now, request_id=uuid4())
    LogHead.objects.update_or_create(number=1, defaults={"size": 1, "public_key": "-----BEGIN PUBLIC KEY-----"})
    new_card = Card.objects.create(
        resident_id=ref, card_index=b"n" * 32, issuer_version=1, valid_from=now, valid_until=now + timedelta(days=900)
    )
    samples = _sent_and_asked(world, till) | _inspected(ref, till.records[-2]["seq"]) | {
        "year": YEAR, "number": 1, "name": "pay", "ref": ref, "language": "ja", "code": TERMINAL,
        "decision_id": Decision.objects.get(resident_ref=ref).pk, "notice_id": letter(ref).pk,
        "card_id": Card.objects.get(resident=ref, active_from__isnull=False).pk, "new_card_id": new_card.pk,
        "terminal_id": terminal_id, "seq": till.records[-2]["seq"],
        "held_seq": till.records[-1]["seq"], "kind": "purchases", **_searched(now), **_exceptions(ref, now),
    }  # fmt: skip
    return Site(world, samples | _counted_and_drawn(ref, now) | _evidence(ref) | _looked_for(now) | _paid(ref, now))


def _evidence(ref: UUID) -> dict[str, int]:
    """A case about A, and its pack."""
    case = case_about(f"resident:{ref}", title="A year")
    pack = request_case_pack(case.pk, access=Access("user:ann", Role.AUDITOR, "", "check"), opens_protected=False)
    assert run_requested_packs() == 1
    return {"pack_id": pack.pk, "resident_case_id": case.pk}


def _paid(ref: UUID, now: datetime) -> dict[str, int]:
    """A's refund is being paid: it failed once, with a bank that said so, and is held."""
    pay_run(YEAR, actor="test", number=1)
    made = {"tax_year": YEAR, "run": 1, "made_at": now}
    batch = Batch.objects.create(
        bank=bank(), transfer_date=now.date(), state="draft", transfers=1, sum_minor=1, sha256="a" * 64,
        made_by="operator", **made,
    )  # fmt: skip
    owed = Obligation.objects.create(
        resident_ref=ref, payee_ref=ref, due_minor=1, settled_minor=0, carried_in_minor=0, amount_minor=1,
        state="failed", **made,
    )  # fmt: skip
    attempt = Attempt.objects.create(
        obligation=owed, batch=batch, reference="2017000000000001001", account_id=uuid4(), amount_minor=1,
        state="failed", said="failed", result_code="1", changed_at=now,
    )  # fmt: skip
    AttemptEvent.objects.create(attempt=attempt, at=now, actor="test", state="failed")
    waits = {"due_minor": 2, "settled_minor": 0, "carried_in_minor": 0, "amount_minor": 2, "waits_for": "missing"}
    other = uuid4()
    Obligation.objects.create(resident_ref=other, payee_ref=other, **waits, **made)
    file = ResultFile.objects.create(
        bank=batch.bank, sha256="b" * 64, file_name="results.txt", imported_at=now, imported_by=ANN, lines=1, applied=1,
        same=0, older=0, refused=1, problems=[{"line": 2, "code": "foreign", "why": "No such transfer."}],
    )  # fmt: skip
    hold = hold_payments(ref, reason=PaymentHold.Reason.INQUIRY, at=now, actor=ANN)
    return {"batch_id": batch.pk, "obligation_id": owed.pk, "file_id": file.pk, "hold_id": hold.pk}


def _looked_for(now: datetime) -> dict[str, Any]:
    """An alarm of the year, and a rule that searched."""
    find_alarms(YEAR, at=now, actor="test")
    return {"alarm_id": Alarm.objects.latest("pk").pk, "rule_code": "cards_in_a_row"}


def _counted_and_drawn(ref: UUID, now: datetime) -> dict[str, int]:
    """Merchants are counted, one declared less than it sold, and A's purchase was drawn."""
    for year in (YEAR, now.year):
        refresh_year(year, now=now)
    sold = Entry.objects.get(resident_ref=ref, tax_year=YEAR, kind="sale")
    merchant = Merchant.objects.get(name="Rival")
    declared = Declaration.objects.create(
        merchant=merchant,
        from_date=date(YEAR, 1, 1),
        to_date=date(YEAR, 12, 31),
        version=1,
        sales={"10": 1},
        file_sha256=bytes(32),
        line=2,
        imported_at=now,
        imported_by=ANN,
    )
    sample = Sample.objects.create(
        title="Large purchases",
        method="attribute",
        population="purchases",
        tax_year=YEAR,
        confidence_percent=95,
        tolerable_bp=900,
        expected_bp=200,
        seed=bytes(32),
        requested_at=now,
        requested_by=ANN,
        drawn_at=now,
        population_items=1,
        population_minor=1,
        items_drawn=1,
        allowed=0,
    )
    SampleItem.objects.create(sample=sample, position=1, terminal_id=sold.terminal_id, seq=sold.seq, amount_minor=1)
    return {"merchant_id": merchant.pk, "declaration_id": declared.pk, "sample_id": sample.pk, "position": 1}


def _sent_and_asked(world: World, till: RawTill) -> dict[str, Any]:
    """What A sent to offices: disputes, a question; whom A named, where refunds and e-mail go, and how A signs in."""
    ref, now = world.residents[0], timezone.now()
    record = AccessRecord.objects.filter(resident_ref=ref).earliest("pk").pk
    question = ask_why(ref, record, "", at=now, actor="resident")
    third = Resident.objects.create(resident_from=date(2010, 4, 1)).pk
    user = User.objects.get(username="hanako")
    mailing = Mailing.objects.create(resident_id=ref, confirmed_at=now, next_at=now)
    return _disputes(ref, till) | {
        "record_id": question.record_id, "question_id": question.pk, "stop_token": mailing.stop_token,
        "proxy_id": named(ref, third).pk, "account_id": name_account(ref, STRANGERS, at=now).pk,
        "bank": "0001", "branch": "004", "factor_id": give_factors(user).pk, "session_id": session_of(user, 0).pk,
    }  # fmt: skip


def _exceptions(ref: UUID, now: datetime) -> dict[str, int]:
    """Officers ask to see A beyond their role, to tell A later, and lost their keys: all wait for a second one."""
    clerk = Access("user:sato", Role.CLERK, OFFICE, "Nobody else is here.", "R7-12")
    auditor = Access("user:kato", Role.AUDITOR, OFFICE, "criminal_inquiry", "K-1")
    lost = officer("lost", Role.CLERK).username
    return {
        "glass_id": ask_to_break_glass(ref, access=clerk, minutes=30, at=now).pk,
        "delay_id": ask_delay(ref, access=auditor, reason=auditor.purpose, until=now + timedelta(days=30), at=now).pk,
        "reset_id": ask_key_reset(lost, reason="The key fell into a river.", at=now, actor="user:ito").pk,
    }


def _disputes(ref: UUID, till: RawTill) -> dict[str, int]:
    """One that is asked about, one that is answered with a photo, one that is decided."""
    dispute = object_to(ref, till.records[-2]["seq"])
    pictured = report(ref, at=f"{YEAR}-08-02T10:00:00+09:00", reduced=1_000)
    for one in (dispute, pictured):
        adjudicating.ask(one.pk, question="Which shop?", wants_photo=True, at=timezone.now(), actor=ANN)
    answer_question(pictured.pk, text="This one.", picture=with_place(), at=timezone.now(), actor="resident")
    decided = report(ref, at=f"{YEAR}-08-03T10:00:00+09:00", reduced=1_000)
    decide(decided, uphold=False)
    return {"dispute_id": dispute.pk, "photo_id": pictured.pk, "decided_id": decided.pk}


def _inspected(ref: UUID, seq: int) -> dict[str, Any]:
    """A case about one of A's purchases, which A is told of, with A as evidence."""
    annulment = held_against(ref, seq)
    write(annulment.case_id, record_name=f"resident:{ref}", text="All of it", at=timezone.now(), actor=ANN)
    return {
        "case_id": annulment.case_id, "case_number": annulment.case.number, "annulment_id": annulment.pk,
        "hearing_id": annulment.pk, "alarm_id": Alarm.objects.latest("pk").pk,
    }  # fmt: skip


def session_of(user: User, number: int) -> UserSession:
    """A browser somewhere else in which the user is signed in."""
    store = SessionStore(f"{number:032}")
    store.create()
    return UserSession.objects.create(
        user=user, ip="192.0.2.1", session_key=store.session_key, user_agent="Firefox/130"
    )


def _settled_year(world: World) -> None:
    """A bought for more than is given back, and returned some; two auditors signed the run."""
    ref, other = world.residents
    now = timezone.now()
    enrol_terminal(Merchant.objects.get(name="Rival"), "only-1", store_name=SHOP, at=now, actor="test")
    only, till = RawTill(world, "only-1"), RawTill(world, OTHER_TERMINAL)
    sale = only.sale(ref, at="2017-03-01T12:00:00+09:00", reduced=1_234_567, standard=30_000)
    only.give_back(sale, at="2017-03-02T12:00:00+09:00", standard=500)
    till.sale(other, at="2017-03-03T12:00:00+09:00", reduced=5_500)
    for sender in (only, till):
        assert send(sender) == []
    count_all()
    settle(freeze, assess_run, verify_run)
    approve()


def _this_year(world: World, now: datetime) -> RawTill:
    """A's last two purchases: one can be withdrawn, one was made after the card was lost and is held."""
    till = RawTill(world)
    for minutes in (3, 1):
        at = timezone.localtime(now - timedelta(minutes=minutes)).isoformat(timespec="seconds")
        till.sale(world.residents[0], at=at, reduced=5_500)
    assert send(till, now=now) == []
    count_all()
    portal = CardSuspension.Channel.PORTAL
    suspend_cards(world.residents[0], lost_since=now - timedelta(minutes=2), channel=portal, at=now, actor="resident")
    count_all()
    assert Withheld.objects.filter(resident_ref=world.residents[0]).count() == 1
    return till


def _searched(now: datetime) -> dict[str, int]:
    """What the auditor keeps: a search and a file."""
    actor, search = "user:the-auditor", MerchantSearch(name="Shop")
    saved = save_search("shops", "merchants", search, is_shared=False, actor=actor, at=now)
    access = Access(actor, Role.AUDITOR, OFFICE, "check")
    export = request_export("merchants", search, "csv", access=access, opens_protected=False, at=now)
    return {"search_id": saved.pk, "export_id": export.pk}


def _household(world: World, now: datetime) -> None:
    """A and the register: a household, a change in it, a pause of recording."""
    ref = world.residents[0]
    place_in_households([Home(ref, uuid4(), date(YEAR, 4, 1), is_head=True)], at=now, actor="test")
    RegisterEvent.objects.create(
        resident_id=ref, kind="move_in", effective_date=date(YEAR, 4, 1), recorded_at=now, actor="test"
    )
    start = datetime(2018, 5, 1, tzinfo=UTC)
    RecordingPause.objects.create(resident_id=ref, valid=TimestamptzRange(start, start + timedelta(days=3)))


def _looked_at(ref: UUID, now: datetime) -> None:
    """Somebody looked at A, who was told of something; something looks wrong."""
    clerk = Access("user:sato", Role.CLERK, OFFICE, "card", "R7-12")
    record_accesses(clerk, [ref], what="vault:person,address", at=now)
    Message.objects.create(resident_ref=ref, kind="card_suspended", at=now)
    raise_alarms([Cause("chain_fork", "only-1:9", {"seq": 9})], at=now)


# --- who opens it ---


def people(site: Site) -> dict[str, Client]:
    """A browser for each, in English; officers opened resident A, but those who have `SHUT` in their name."""
    found = {who: Client(headers={"accept-language": "en"}) for who in (STRANGER, RESIDENT_A, RESIDENT_B, SUPERUSER)}
    found[TILL] = Client(headers={"accept-language": "en", "authorization": f"Bearer {site.world.api_key}"})
    found[RESIDENT_A].force_login(User.objects.get(username="hanako"))
    found[RESIDENT_B].force_login(User.objects.get(username="taro"))
    found[SUPERUSER].force_login(User.objects.create_superuser("root"))
    for name in ("taro", "root"):
        give_factors(User.objects.get(username=name))
    for role in Role:
        roles = {role, Role.CLERK} if role == Role.PROTECTED_OFFICER else {role}
        name = f"the-{role}".replace("_", "-")
        found[role] = signed_in(*roles, name=name)
        found[role + SHUT] = Client(headers={"accept-language": "en"})
        found[role + SHUT].force_login(officer(name, *roles))
        give_factors(User.objects.get(username=name))
    for role in (Role.CLERK, Role.HELPDESK, Role.PROTECTED_OFFICER):
        assert open_resident(found[role]).status_code == 302
    state_purpose(found[Role.AUDITOR], site.ref, case=site.samples["case_number"])
    assert found[Role.AUDITOR].post("/console/find/purpose", {"purpose": "check"}).status_code == 302
    return found


def as_whom(who: str) -> str:
    """The role of one of `people`, as the table has it."""
    return who.removesuffix(SHUT)


# --- three hundred of everything ---
