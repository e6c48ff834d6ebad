"""Naming who acts for a resident: codes, terms, ends. What the database refuses, and what is forgotten."""

import threading
from datetime import date, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from psycopg.types.range import TimestamptzRange

from apps.audit.models import AccessRecord, Alarm, Event
from apps.kernel.errors import KanpuError
from apps.residents.acting import DISPUTE, PAYMENT, SEE, Terms
from apps.residents.models import (
    HouseholdConsent,
    Message,
    Proxy,
    ProxyCode,
    ProxyCodeMiss,
    ProxyDay,
    RegisterEvent,
    Resident,
)
from apps.residents.operations.household_consent import give_consent
from apps.residents.operations.proxies import (
    CODE_FOR,
    MISSES,
    OwnProxy,
    ProxyCodeUnknown,
    ProxyMissing,
    ProxyTooLong,
    end_proxy,
    make_code,
    name_proxy,
    owner_of_code,
    renew_proxy,
    seeker_of,
)
from apps.residents.queries.proxies import grants_of, who_may_pay
from tests import dump
from tests.acting import AT_WINDOW, IN_PORTAL, act, live_together, named, signed_up
from tests.identities import enter
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hanako(world: World) -> UUID:
    """The resident who is acted for."""
    enter(world.residents[0], name="山田 花子")
    return world.residents[0]


@pytest.fixture
def taro(hanako: UUID, world: World) -> UUID:
    """Who acts for her."""
    enter(world.residents[1], name="佐藤 太郎")
    return world.residents[1]


def kinds(ref: UUID) -> list[str]:
    return list(Message.objects.filter(resident_ref=ref).order_by("pk").values_list("kind", flat=True))


# --- naming, in the portal ---


def test_a_proxy_is_named_with_the_code_that_they_show_and_both_are_told(hanako: UUID, taro: UUID) -> None:
    hers, his = signed_up("hanako", hanako), signed_up("taro", taro)
    page = his.post("/acting/code").content.decode()
    code = page.split('id="made">')[1].split("<")[0]
    assert code not in his.get("/acting").content.decode()
    asked = hers.post("/proxies/name", {"code": code.lower().replace(" ", "-")}).content.decode()
    assert "The code is of: 佐藤 太郎" in asked
    assert AccessRecord.objects.get(resident_ref=taro).role == "namer"
    assert not Proxy.objects.exists()
    last = timezone.localdate() + timedelta(days=30)
    form = {"code": code, "confirmed": "yes", "rights": ["see", "dispute"], "until": last.isoformat()}
    assert "佐藤 太郎" in hers.post("/proxies/name", form, follow=True).content.decode()
    proxy = Proxy.objects.get()
    assert (proxy.resident_id, proxy.proxy_id, proxy.kind) == (hanako, taro, "named")
    assert (proxy.may_see, proxy.may_dispute, proxy.may_pay, proxy.shows_name) == (True, True, False, False)
    assert timezone.localtime(proxy.valid.upper) == timezone.localtime(proxy.valid.upper).replace(hour=0, minute=0)
    assert timezone.localdate(proxy.valid.upper) == last + timedelta(days=1)
    assert (kinds(hanako), kinds(taro)) == (["proxy_named"], ["proxy_accepted"])
    assert Event.objects.get(action="proxy.name").detail["rights"] == ["dispute", "see"]
    assert "no longer good" in hers.post("/proxies/name", {"code": code}).content.decode()  # once


def test_payment_is_off_until_it_is_said_twice(hanako: UUID, taro: UUID) -> None:
    hers = signed_up("hanako", hanako)
    form: dict[str, Any] = {
        "code": make_code(taro, at=timezone.now(), actor="t").code, "confirmed": "yes", "rights": ["see", "payment"],
        "until": timezone.localdate().isoformat(),
    }  # fmt: skip
    first = hers.post("/proxies/name", {"code": form["code"]}).content.decode()
    assert 'value="payment" id="id_rights_2">' in first  # not ticked, while seeing is
    assert 'value="see" id="id_rights_0" checked>' in first
    assert "Tick this too" in hers.post("/proxies/name", form).content.decode()
    assert not Proxy.objects.exists()
    hers.post("/proxies/name", {**form, "payment_confirmed": "yes"})
    assert Proxy.objects.get().may_pay
    assert who_may_pay(hanako, at=timezone.now()) == {taro}
    assert who_may_pay(taro, at=timezone.now()) == set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rights": []}, "Choose at least one."),
        ({"rights": ["self"]}, "Select a valid choice"),
        ({"until": "2020-01-01"}, "Give a day from today"),
        ({"until": "2199-01-01"}, "Give a day from today"),
        ({"until": ""}, "This field is required."),
    ],
)
def test_what_is_chosen_wrongly_is_said_beside_the_field(
    hanako: UUID, taro: UUID, change: dict[str, Any], words: str
) -> None:
    code = make_code(taro, at=timezone.now(), actor="t").code
    form = {"code": code, "confirmed": "yes", "rights": ["see"], "until": timezone.localdate().isoformat(), **change}
    assert words in signed_up("hanako", hanako).post("/proxies/name", form).content.decode()
    assert not Proxy.objects.exists()


def test_a_code_is_good_for_a_week_and_once_and_an_older_one_never(hanako: UUID, taro: UUID) -> None:
    now = timezone.now()
    old = make_code(taro, at=now, actor="t").code
    code = make_code(taro, at=now, actor="t").code

    def owner(text: str, after: timedelta = timedelta()) -> UUID:
        return owner_of_code(text, resident_ref=hanako, seeker="x", at=now + after)

    assert owner(code, CODE_FOR - timedelta(seconds=1)) == taro
    for text, after in ((old, timedelta()), (code, CODE_FOR), ("0" * 16, timedelta()), ("", timedelta())):
        with pytest.raises(ProxyCodeUnknown):
            owner(text, after)
    with pytest.raises(OwnProxy):
        owner_of_code(code, resident_ref=taro, seeker="x", at=now)
    assert "your own code" in signed_up("taro", taro).post("/proxies/name", {"code": code}).content.decode()


def test_guessed_codes_are_counted_and_after_ten_none_is_looked_up(hanako: UUID, taro: UUID) -> None:
    hers = signed_up("hanako", hanako)
    good = make_code(taro, at=timezone.now(), actor="t").code
    for number in range(MISSES):
        assert "Nobody has this code" in hers.post("/proxies/name", {"code": f"{number:016}"}).content.decode()
        assert ProxyCodeMiss.objects.count() == number + 1
    assert "Too many codes" in hers.post("/proxies/name", {"code": good}).content.decode()
    assert Alarm.objects.get().kind == "proxy_code_guessing"
    tomorrow = timezone.now() + timedelta(hours=25)
    assert owner_of_code(good, resident_ref=hanako, seeker=seeker_of(hanako), at=tomorrow) == taro
    assert owner_of_code(good, resident_ref=hanako, seeker="user:ann", at=timezone.now()) == taro  # counted apart


def test_right_codes_are_no_guesses(hanako: UUID, taro: UUID) -> None:
    code = make_code(taro, at=timezone.now(), actor="t").code
    for _ in range(2 * MISSES):
        owner_of_code(code, resident_ref=hanako, seeker="x", at=timezone.now())
    assert not ProxyCodeMiss.objects.exists()


def test_of_a_code_only_the_hash_is_kept(hanako: UUID, taro: UUID) -> None:
    code = make_code(taro, at=timezone.now(), actor="t").code
    assert not dump.found_in(dump.database(), [code, code.lower()])


def together(*calls: Any) -> list[str]:
    """What these say when they are done at the same time: a code of an error, or nothing."""
    found: list[str] = []

    def run(call: Any) -> None:
        try:
            call()
            found.append("")
        except KanpuError as error:
            found.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def test_a_code_that_is_entered_twice_at_once_names_once(hanako: UUID, taro: UUID) -> None:
    now = timezone.now()
    code = make_code(taro, at=now, actor="t").code
    terms = Terms(frozenset({SEE}), now + timedelta(days=1))

    def enter_it() -> None:
        name_proxy(hanako, code, terms, asked=IN_PORTAL, seeker="x", at=now)

    assert together(enter_it, enter_it, enter_it) == ["", "proxy_code_unknown", "proxy_code_unknown"]
    assert Proxy.objects.count() == 1


def test_two_residents_name_each_other_at_once(hanako: UUID, taro: UUID) -> None:
    now = timezone.now()
    terms = Terms(frozenset({SEE}), now + timedelta(days=1))
    codes = {ref: make_code(ref, at=now, actor="t").code for ref in (hanako, taro)}
    assert together(
        lambda: name_proxy(hanako, codes[taro], terms, asked=IN_PORTAL, seeker="x", at=now),
        lambda: name_proxy(taro, codes[hanako], terms, asked=IN_PORTAL, seeker="y", at=now),
    ) == ["", ""]
    assert set(Proxy.objects.values_list("resident_id", "proxy_id")) == {(hanako, taro), (taro, hanako)}


def test_naming_again_takes_the_place_of_what_was_before(hanako: UUID, taro: UUID) -> None:
    start = timezone.now()
    first = named(hanako, taro, SEE, PAYMENT, at=start)
    second = named(hanako, taro, SEE, at=start + timedelta(hours=1))
    first.refresh_from_db()
    assert first.valid.upper == second.valid.lower == first.ended_at
    assert who_may_pay(hanako, at=start + timedelta(hours=2)) == set()
    assert who_may_pay(hanako, at=start + timedelta(minutes=30)) == {taro}


# --- renewing and ending ---


def test_a_proxy_is_renewed_for_a_year_by_the_resident_alone(hanako: UUID, taro: UUID, world: World) -> None:
    start = timezone.now()
    proxy = named(hanako, taro, SEE, DISPUTE, at=start)
    for stranger in (taro, world.test_resident):
        with pytest.raises(ProxyMissing):
            renew_proxy(stranger, proxy.pk, asked=IN_PORTAL, at=start + timedelta(days=9))
    renewed = renew_proxy(hanako, proxy.pk, asked=IN_PORTAL, at=start + timedelta(days=9))
    assert renewed.valid.upper == start + timedelta(days=9 + 365)
    assert (renewed.may_see, renewed.may_dispute, renewed.may_pay) == (True, True, False)
    with pytest.raises(ProxyMissing):
        renew_proxy(hanako, proxy.pk, asked=IN_PORTAL, at=start + timedelta(days=10))


def test_either_side_ends_it_at_once_and_both_are_told(hanako: UUID, taro: UUID) -> None:
    hers, his = signed_up("hanako", hanako), signed_up("taro", taro)
    first = named(hanako, taro)
    assert hers.post(f"/proxies/{first.pk}/end").status_code == 302
    assert grants_of(taro, at=timezone.now()) == []
    assert (kinds(hanako)[-1], kinds(taro)[-1]) == ("proxy_ended", "acting_ended")
    second = named(hanako, taro)
    act(his, second)
    assert (
        "do not act for that resident any more"
        in his.post(f"/acting/{second.pk}/give-up", follow=True).content.decode()
    )
    assert "acting" not in his.session
    assert Proxy.objects.filter(ended_at=None).count() == 0
    assert hers.post(f"/proxies/{second.pk}/end").status_code == 404  # it has ended


def test_nobody_else_ends_or_renews_it(hanako: UUID, taro: UUID, world: World) -> None:
    proxy = named(hanako, taro)
    other = signed_up("other", world.test_resident)
    for path in (f"/proxies/{proxy.pk}/end", f"/proxies/{proxy.pk}/renew", f"/acting/{proxy.pk}/give-up"):
        assert other.post(path).status_code == 404
    assert other.post("/acting", {"grant": f"named-{proxy.pk}"}).status_code == 404
    for wrong in ("named-", "parent-", "named-x", f"guardian{proxy.pk}", "self-1"):
        assert other.post("/acting", {"grant": wrong}).status_code == 404
    assert Proxy.objects.get().ended_at is None


def test_a_guardian_is_not_ended_in_the_portal(hanako: UUID, taro: UUID) -> None:
    terms: dict[str, Any] = {
        "document": "court",
        "document_date": date(2026, 1, 5),
        "until": timezone.now() + timedelta(days=1500),
    }
    proxy = named(hanako, taro, SEE, DISPUTE, PAYMENT, asked=AT_WINDOW, **terms)
    assert proxy.kind == "guardian"
    for who, path in ((hanako, f"/proxies/{proxy.pk}/end"), (taro, f"/acting/{proxy.pk}/give-up")):
        assert signed_up(str(who)[:8], who).post(path).status_code == 404
    end_proxy(hanako, proxy.pk, asked=AT_WINDOW, at=timezone.now())
    assert grants_of(taro, at=timezone.now()) == []


# --- protection ---


def test_a_proxy_from_before_the_protection_counts_no_more_and_a_new_one_does(hanako: UUID, taro: UUID) -> None:
    named(hanako, taro, SEE, PAYMENT)
    Resident.objects.filter(pk=hanako).update(is_protected=True)
    RegisterEvent.objects.create(
        resident_id=hanako, kind="protection", effective_date=timezone.localdate(), recorded_at=timezone.now(),
        actor="import",
    )  # fmt: skip
    now = timezone.now()
    assert grants_of(taro, at=now) == []
    assert who_may_pay(hanako, at=now) == set()
    assert (
        "without effect since your protection changed" in signed_up("hanako", hanako).get("/proxies").content.decode()
    )
    Resident.objects.filter(pk=hanako).update(is_protected=False)  # ended: what was before stays without effect
    assert grants_of(taro, at=now) == []
    named(hanako, taro)
    assert [grant.resident_ref for grant in grants_of(taro, at=timezone.now())] == [hanako]


# --- what the database refuses, what is forgotten ---


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"may_see": False}, "proxy_has_a_right"),
        ({"days": 367}, "proxy_for_a_time"),
        ({"days": None}, "proxy_for_a_time"),
        ({"kind": "guardian"}, "guardian_has_a_document"),
        ({"document": "court", "document_date": date(2026, 1, 5)}, "guardian_has_a_document"),
        ({"office": "Setagaya"}, "proxy_asked_for_somewhere"),
        ({"channel": "window"}, "proxy_asked_for_somewhere"),
        ({"ended_by": "x"}, "proxy_ended_by_somebody"),
        ({"own": True}, "nobody_is_the_own_proxy"),
        ({"twice": True}, "one_proxy_of_a_pair_at_a_time"),
    ],
)
def test_the_database_refuses_what_no_proxy_can_be(
    hanako: UUID, taro: UUID, change: dict[str, Any], constraint: str
) -> None:
    now, more = timezone.now(), dict(change)
    days = more.pop("days", 366)
    until = now + timedelta(days=days) if days else None
    who = hanako if more.pop("own", False) else taro
    row: dict[str, Any] = {"may_see": True, "channel": "portal", "named_by": "x", **more}
    twice = row.pop("twice", False)
    row |= {"resident_id": hanako, "proxy_id": who, "valid": TimestamptzRange(now, until)}
    if twice:
        Proxy.objects.create(**row)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Proxy.objects.create(**row)


def test_a_time_that_is_too_long_or_over_is_refused(hanako: UUID, taro: UUID) -> None:
    now = timezone.now()
    for until in (now, now + timedelta(days=366, seconds=1)):
        with pytest.raises(ProxyTooLong):
            named(hanako, taro, at=now, until=until)
    assert not Proxy.objects.exists()
    assert named(hanako, taro, at=now, until=now + timedelta(days=366)).pk


def test_who_is_erased_acts_for_nobody_and_nobody_for_them(hanako: UUID, taro: UUID) -> None:
    live_together(hanako, taro)
    give_consent(hanako, asked=IN_PORTAL, at=timezone.now())
    act(his := signed_up("taro", taro), named(hanako, taro))
    assert his.get("/accesses").status_code == 200
    named(taro, hanako)
    make_code(hanako, at=timezone.now(), actor="t")
    ProxyCodeMiss.objects.create(actor=seeker_of(hanako), at=timezone.now())
    assert ProxyDay.objects.exists()
    call_command("erase_resident", str(hanako), "--reason", "R8-1", stdout=StringIO())
    for model in (Proxy, ProxyDay, HouseholdConsent, ProxyCodeMiss):
        assert not model.objects.exists(), model
    assert not ProxyCode.objects.filter(proxy=hanako).exists()
    assert his.get("/accesses").status_code == 404
