"""Officers: how they are made, what they looked at, and who looks at too much."""

import json
from datetime import date, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from apps.audit.models import AccessRecord, Alarm, Event
from apps.audit.officers import Role, standing_of
from apps.audit.operations.openings import OPENED_A_DAY
from apps.residents.models import (
    Resident,
)
from apps.residents.operations import register_residents
from tests.offices import (
    OFFICE,
    PAGES,
    PASSWORD,
    identify,
    officer,
    open_resident,
    sent,
    signed_in,
    text,
)
from tests.pages import shown, state_purpose
from tests.till import RawTill
from tests.world import TERMINAL, YEAR, World
from tests.year_end import count, to_verified

# --- flags ---


def test_who_opens_unusually_many_residents_in_a_day_raises_one_alarm(world: World) -> None:
    client, actor = signed_in(Role.CLERK), "user:ann"
    many = register_residents([date(2017, 1, 1)] * (OPENED_A_DAY + 2), at=timezone.now(), actor="test")
    refs = [resident.ref for resident in many]
    for ref in [refs[0], *refs[:OPENED_A_DAY]]:
        identify(ref)
        open_resident(client)
    assert not Alarm.objects.exists()
    for ref in refs[OPENED_A_DAY:]:
        identify(ref)
        open_resident(client)
    alarm = Alarm.objects.get()
    assert alarm.kind == "clerk_browses"
    assert alarm.key == f"{actor}:{timezone.localdate()}"
    assert alarm.detail == {
        "residents": OPENED_A_DAY + 1, "hours": 24, "actor": actor, "role": "registry_clerk", "office": OFFICE,
    }  # fmt: skip
    auditor = signed_in(Role.AUDITOR, name="eve")
    page = shown(auditor, "/console/alarms")
    assert "Somebody of staff opened unusually many residents" in page
    for ref in refs:
        assert str(ref) not in page


def test_auditors_see_who_looked_at_how_many_and_what_one_of_them_looked_at(ref: UUID) -> None:
    clerk, auditor = signed_in(Role.CLERK), signed_in(Role.AUDITOR, name="eve")
    assert "Nobody looked at a resident's data on this day." in text(auditor.get("/console/accesses"))
    open_resident(clerk, case="2026-15")
    for page in PAGES:
        clerk.get(f"/office/resident/{ref}/{page}")
    day = shown(auditor, "/console/accesses")
    assert f"ann registry clerk 1 {OFFICE} 9 times" in day
    assert str(ref) not in day
    page = shown(auditor, "/console/accesses?actor=user:ann")
    assert page.count(str(ref)) == 9
    assert "The card case 2026-15 vault:person" in page
    yesterday = (timezone.localdate() - timedelta(days=1)).isoformat()
    assert "Nobody looked" in text(auditor.get(f"/console/accesses?day={yesterday}"))
    for odd in ("?day=x", "?day=2026-02-31", "?day=9999-12-31"):
        assert "ann" in text(auditor.get(f"/console/accesses{odd}"))


def test_auditors_see_staff_only_in_the_list_of_who_looked(ref: UUID) -> None:
    AccessRecord.objects.create(
        at=timezone.now(), actor="resident", role="resident", office="", resident_ref=ref, what="vault:person",
        purpose="own page",
    )  # fmt: skip
    auditor = signed_in(Role.AUDITOR)
    assert "Nobody looked" in text(auditor.get("/console/accesses"))
    assert "Nobody looked" in text(auditor.get("/console/accesses?actor=resident"))


def test_shops_and_times_of_a_protected_resident_are_replayed_to_named_officers_only(till: RawTill) -> None:
    ref = till.world.residents[0]
    count(till, till.sale(reduced=110_000), till.sale(reduced=1_080))
    to_verified()
    auditor = signed_in(Role.AUDITOR, name="eve")
    state_purpose(auditor, ref)
    page = f"/console/refunds?resident={ref}&year={YEAR}&replay=1"
    assert f"{TERMINAL} 1 " in shown(auditor, page)
    Resident.objects.filter(pk=ref).update(is_protected=True)
    blanked = shown(auditor, page)
    assert "2 purchases. This resident is protected" in blanked
    assert "Identical." in blanked
    for place in (TERMINAL, "Aug. 3"):
        assert place not in blanked
    officer("eve", Role.PROTECTED_OFFICER)
    assert f"{TERMINAL} 1 " in shown(auditor, page)


# --- officers ---


def created(*arguments: str, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("create_officer", *arguments, "--json", stdout=out, **options)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


@pytest.mark.django_db
def test_an_officer_is_created_with_a_first_password_and_changed_by_the_same_command() -> None:
    made = created("ann", "--role", "helpdesk", "--office", OFFICE, "--email", "ann@example.jp")
    assert made["roles"] == ["helpdesk"]
    user = User.objects.get(username="ann")
    assert user.check_password(made["first_password"])
    assert not user.is_staff
    changed = created("ann", "--role", "registry_clerk", "--role", "protected_officer", "--remove-role", "helpdesk")
    assert changed == {"username": "ann", "office": OFFICE, "roles": ["protected_officer", "registry_clerk"]}
    assert standing_of(user).roles == {Role.CLERK, Role.PROTECTED_OFFICER}
    assert User.objects.get().email == "ann@example.jp"
    assert [event.detail["roles"] for event in Event.objects.order_by("pk")] == [
        ["helpdesk"], ["protected_officer", "registry_clerk"],
    ]  # fmt: skip
    assert made["first_password"] not in json.dumps([event.detail for event in Event.objects.all()])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("roles", "said"),
    [
        (["auditor", "registry_clerk"], "roles_apart"),
        (["operator", "helpdesk"], "roles_apart"),
        (["protected_officer"], "roles_apart"),
    ],
)
def test_who_knows_references_does_not_learn_who_residents_are(roles: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        created("ann", *(part for role in roles for part in ("--role", role)), "--office", OFFICE)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_an_officer_has_an_office_and_a_password_that_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="office_missing"):
        created("ann", "--role", "helpdesk")
    for weak in ("short\n", "\n", "password1234\n"):
        monkeypatch.setattr("sys.stdin", StringIO(weak))
        with pytest.raises(CommandError, match="password_refused"):
            created("ann", "--role", "helpdesk", "--office", OFFICE, "--password-stdin")
    monkeypatch.setattr("sys.stdin", StringIO(f"{PASSWORD}\n"))
    made = created("ann", "--role", "helpdesk", "--office", OFFICE, "--password-stdin")
    assert "first_password" not in made
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.django_db
def test_who_signs_in_as_a_resident_is_not_made_an_officer_by_having_the_user_name_first() -> None:
    user = User.objects.create_user("ann", password="what-the-resident-chose")
    with pytest.raises(CommandError, match="not_of_staff"):
        created("ann", "--role", "registry_clerk", "--office", OFFICE)
    assert not standing_of(user).roles
    User.objects.create_superuser("root", password=PASSWORD)
    assert created("root", "--role", "operator", "--office", OFFICE)["roles"] == ["operator"]


@pytest.mark.django_db
def test_the_first_password_is_changed_before_anything_else() -> None:
    made = created("ann", "--role", "helpdesk", "--office", OFFICE)
    client = Client(headers={"accept-language": "en"})
    signed = client.post("/login", {"username": "ann", "password": made["first_password"]}, follow=True)
    assert "You have signed in with the password that was given out." in text(signed)
    assert client.get("/office/lost")["Location"] == "/office/password"
    new = {"old_password": made["first_password"], "new_password1": PASSWORD, "new_password2": PASSWORD}
    assert "Your password is changed." in sent(client, "/office/password", **new)
    assert client.get("/office/lost")["Location"] == "/office/key?next=%2Foffice%2Flost"
    assert User.objects.get().check_password(PASSWORD)
    assert Event.objects.filter(action="officer.change_password", actor="user:ann").count() == 1


@pytest.mark.django_db
def test_who_was_put_off_is_no_officer_any_more() -> None:
    client = signed_in(Role.CLERK)
    assert client.get("/office/").status_code == 200
    created("ann", "--remove-role", "registry_clerk")
    assert client.get("/office/").status_code == 404
