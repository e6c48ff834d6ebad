"""Officers sign in with a key that cannot be phished; a code opens nothing. Two operators help who lost all keys."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings as project
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from apps.audit.models import Event, KeyReset, Officer
from apps.audit.officers import Role
from apps.audit.operations.delays import SecondOfficer
from apps.audit.operations.key_resets import ask_key_reset, reset_keys
from apps.audit.strength import RECORDS
from tests.offices import PASSWORD, officer, sent, signed_in, text
from tests.signing_in import EN, SECRET, age_factor, code_of, give_code, give_factors, sign_in

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = ("/console/", "/console/alarms", "/office/", "/office/open", "/office/counts", "/office/password", "/admin/")


def by_code(name: str) -> Client:
    """A browser that gave the password and a program's code."""
    client = Client(headers=EN)
    sign_in(client, name)
    assert give_code(client, code_of(SECRET)) == "/"
    return client


@pytest.mark.parametrize("role", Role)
def test_a_password_and_a_programs_code_open_no_page_of_any_officer(role: Role) -> None:
    user = officer("ann", role, *({Role.CLERK} if role == Role.PROTECTED_OFFICER else ()))
    TOTP.activate(user, SECRET)
    client = by_code("ann")
    for path in PAGES:
        answer = client.get(path)
        assert answer.status_code == 404 or answer["Location"].startswith(("/office/key?", "/admin/login")), path
    assert "Set up a key" in text(client.get("/office/key"))


def test_who_has_the_password_and_a_code_adds_no_key_of_their_own() -> None:
    user = officer("ann", Role.AUDITOR)
    key = give_factors(user)
    client = by_code("ann")
    for path in (
        "passkey",
        "password",
        f"factors/{key.pk}/remove",
        "recovery-codes",
    ):
        for answer in (client.get(f"/sign-in/{path}"), client.post(f"/sign-in/{path}")):
            assert answer["Location"].startswith("/sign-in/again?"), path
    assert "Show the key" in text(client.get("/office/key?next=/console/"))
    assert Authenticator.objects.filter(user=user, type="webauthn").get() == key


def test_a_recovery_code_opens_nothing_either() -> None:
    user = officer("ann", Role.AUDITOR)
    give_factors(user)
    client = Client(headers=EN)
    sign_in(client, "ann")
    give_code(client, RecoveryCodes.activate(user).get_unused_codes()[0])
    assert client.get("/console/")["Location"] == "/office/key?next=%2Fconsole%2F"


def test_an_officer_with_a_key_goes_on_and_keeps_the_last_one() -> None:
    client = signed_in(Role.AUDITOR)
    key = give_factors(User.objects.get(username="ann"))  # a program beside it
    assert client.get("/console/").status_code == 200
    assert client.get("/office/key?next=/console/")["Location"] == "/console/"
    assert client.get("/office/key?next=//evil.example/")["Location"] == "/"
    assert "last factor" in sent(client, f"/sign-in/factors/{key.pk}/remove")
    assert Authenticator.objects.filter(pk=key.pk).exists()


def test_the_first_password_is_changed_before_the_key_is_made() -> None:
    user = officer("ann", Role.CLERK)
    Officer.objects.update(has_first_password=True)
    client = Client(headers=EN)
    assert sign_in(client, "ann", PASSWORD) == "/"
    assert client.get("/office/")["Location"] == "/office/password"
    new = "another-long-password"
    given = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/office/password", given)["Location"] == "/"
    assert client.get("/office/")["Location"] == "/office/key?next=%2Foffice%2F"
    assert client.get("/sign-in/passkey").status_code == 200
    assert user.pk == int(client.session["_auth_user_id"])


def test_administrators_show_a_key_as_well() -> None:
    client = Client(headers=EN)
    client.force_login(User.objects.create_superuser("root"))
    assert client.get("/admin/").status_code == 200
    session = client.session
    session[RECORDS] = [record | {"type": "totp"} for record in session[RECORDS]]
    session.save()
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/office/key?")
    client.logout()
    assert client.get("/admin/", follow=True).redirect_chain[-1][0] == "/login?next=%2Fadmin%2F"


def test_a_signature_asks_for_the_key_again_after_five_minutes() -> None:
    client = signed_in(Role.AUDITOR)
    give_factors(User.objects.get(username="ann"))
    age_factor(client, minutes=6)
    for path, back in (
        ("/console/runs/2017/1/sign", "/console/runs/2017/1"),
        ("/console/disputes/7/approve", "/console/disputes/7"),
        ("/console/break-glass/7/approve", "/console/break-glass"),
        ("/console/delays/7/approve", "/console/delays"),
        ("/console/delays/7/extend/approve", "/console/delays"),
    ):
        asked = client.post(path)["Location"]
        assert asked == f"/sign-in/again/passkey?next={back.replace('/', '%2F')}"
        assert client.get(asked).status_code == 200


def test_the_demo_waives_the_key_on_its_own_machine_only_and_says_so(settings: Any) -> None:
    officer("ann", Role.AUDITOR)
    settings.DEMO = True
    client = Client(headers=EN)
    sign_in(client, "ann")
    assert "This is the demo." in text(client.get("/console/"))
    assert client.get("/console/", REMOTE_ADDR="192.0.2.7")["Location"].startswith("/office/key?")


def test_production_does_not_start_as_a_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KANPU_PRODUCTION", "KANPU_DEMO"):
        monkeypatch.setenv(name, "1")
    for name in ("KANPU_SECRET_KEY", "KANPU_FACTOR_KEY"):
        monkeypatch.setenv(name, "k" * 60)
    done = subprocess.run(
        [sys.executable, "-c", "import config.settings"], cwd=Path(project.BASE_DIR), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "KANPU_PRODUCTION and KANPU_DEMO do not go together" in done.stderr


def test_two_operators_remove_lost_keys_and_the_officer_begins_anew() -> None:
    lost = signed_in(Role.AUDITOR, name="lost")
    give_factors(User.objects.get(username="lost"))
    olga, otto = signed_in(Role.OPERATOR, name="olga"), signed_in(Role.OPERATOR, name="otto")
    asked = {"username": "lost", "reason": "The key fell into a river; I know her."}
    assert "Another operator removes the keys." in sent(olga, "/office/keys", **asked)
    assert "asked for already" in text(otto.post("/office/keys", asked))
    assert "No officer has this user name." in text(otto.post("/office/keys", asked | {"username": "hanako"}))
    reset = KeyReset.objects.get()
    assert "You asked for it yourself" in sent(olga, f"/office/keys/{reset.pk}/reset")
    assert Authenticator.objects.count() == 3
    shown = text(otto.post(f"/office/keys/{reset.pk}/reset"))
    password = shown.partition('<code class="hash">')[2].partition("<")[0]
    assert not Authenticator.objects.exists()
    assert lost.get("/console/")["Location"] == "/login?next=/console/"  # all sessions have ended
    client = Client(headers=EN)
    assert sign_in(client, "lost", password) == "/"
    assert client.get("/console/")["Location"] == "/office/password"
    event = Event.objects.get(action="officer.reset_keys")
    assert (event.actor, event.subject, event.purpose) == ("user:otto", "user:lost", asked["reason"])
    assert event.before_mac != event.after_mac
    assert password not in str(Event.objects.values_list("detail", flat=True))


def test_nobody_resets_their_own_keys_and_the_database_wants_two() -> None:
    officer("olga", Role.OPERATOR)
    reset = ask_key_reset("olga", reason="Lost.", at=timezone.now(), actor="user:otto")
    with pytest.raises(SecondOfficer):
        reset_keys(reset.pk, at=timezone.now(), actor="user:olga")
    for approver in ("user:otto", ""):
        with pytest.raises(IntegrityError, match="key_reset_by_two"), transaction.atomic():
            KeyReset.objects.update(approved_by=approver, approved_at=timezone.now())
