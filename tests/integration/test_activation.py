"""The first sign-in with a letter's code: who gets in, who does not, and what is said."""

import json
import re
import threading
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.audit.models import AccessRecord, Event
from apps.kernel.errors import KanpuError
from apps.portal.birth_dates import birth_date_of
from apps.portal.models import Account
from apps.portal.operations.activation import BirthDateWrong, NewSignIn, check_code, next_user_id, open_account
from apps.residents.models import Notice, VaultRecord
from apps.residents.operations.notices import TRIES, CodeVoid, draw_codes
from apps.residents.operations.returned_letters import record_returned
from tests.identities import BORN, enter
from tests.pages import PASSWORD, shown
from tests.signing_in import EN, choose, enter_code, sign_in
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
DONE = "/sign-in/recovery-codes"
NO_HINT = "Code and birth date do not belong together."


@pytest.fixture
def resident(world: World) -> UUID:
    enter(world.residents[0])
    return world.residents[0]


@pytest.fixture
def code(resident: UUID, tmp_path: Any) -> str:
    return letter(resident, tmp_path)


def letter(ref: UUID, folder: Any) -> str:
    """A letter is drawn for the resident: its code."""
    return draw_codes([ref], file=folder / "notices.pdf", at=timezone.now())[ref].code


def test_a_letters_code_and_the_birth_date_open_an_account_that_is_signed_in(
    client: Client, resident: UUID, code: str
) -> None:
    typed = f"{code[:4].lower()}-{code[4:8]} {code[8:]}".replace("1", "l").replace("0", "O")
    assert enter_code(client, typed) == "/activate/account"
    assert choose(client, "hanako") == DONE
    assert Account.objects.get().resident_ref == resident
    assert "Signed in as hanako" in shown(client, "/cards")
    assert Notice.objects.get().spent_at
    assert Event.objects.get(action="account.activate").subject == f"resident:{resident}"
    record = AccessRecord.objects.get()
    assert (record.actor, record.purpose, record.resident_ref) == ("resident", "activation", resident)
    client.post("/logout")
    assert sign_in(client, "hanako") == "/login/code"
    assert "no longer good" in enter_code(client, code)


@pytest.mark.parametrize("wrong", ["0000 0000 0000 0000", "", "x" * 39])
def test_a_wrong_code_gives_no_hint(client: Client, code: str, wrong: str) -> None:
    page = enter_code(client, wrong or "-")
    assert NO_HINT in page
    assert NO_HINT in enter_code(client, code, "1990-04-02")
    assert not AccessRecord.objects.exclude(purpose="activation").exists()


def test_five_wrong_birth_dates_spend_the_code(client: Client, code: str) -> None:
    for _ in range(TRIES - 1):
        assert NO_HINT in enter_code(client, code, "1990-04-02")
    assert enter_code(client, code) == "/activate/account"  # a right one takes no try
    assert "Ask for a new letter" in enter_code(client, code, "1990-04-02")
    assert "Ask for a new letter" in enter_code(client, code)
    assert choose(client, "hanako") == "/activate"  # the letter that was checked is void by now
    assert Event.objects.filter(action="notice.void").count() == 1
    assert not Account.objects.exists()


def test_many_guesses_at_once_have_no_more_tries(resident: UUID, code: str) -> None:
    outcomes: list[str] = []

    def guess(day: int) -> None:
        try:
            check_code(code, date(1991, 1, day), at=timezone.now())
        except KanpuError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=guess, args=(day,)) for day in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("birth_date_wrong") == TRIES - 1
    assert AccessRecord.objects.count() == TRIES
    with pytest.raises(CodeVoid):
        check_code(code, BORN, at=timezone.now())


def test_old_returned_and_older_letters_say_so(client: Client, resident: UUID, code: str, tmp_path: Any) -> None:
    newer = letter(resident, tmp_path)
    assert "no longer good" in enter_code(client, code)
    Notice.objects.filter(spent_at=None).update(expires_at=timezone.now())
    assert "too old" in enter_code(client, newer)
    newest = letter(resident, tmp_path)
    Notice.objects.update(printed_at=timezone.now())
    record_returned(Notice.objects.get(spent_at=None).pk, office="", at=timezone.now(), actor="user:clerk")
    assert "no longer good" in enter_code(client, newest)


def test_a_new_letter_sets_all_anew_and_ends_other_sign_ins(
    client: Client, resident: UUID, code: str, tmp_path: Any
) -> None:
    enter_code(client, code)
    choose(client, "hanako")
    old = set(Authenticator.objects.values_list("pk", flat=True))
    SocialAccount.objects.create(user=User.objects.get(), provider="government", uid="somebody's")
    other = Client()
    assert enter_code(other, letter(resident, tmp_path)) == "/activate/account"
    assert "your user name is hanako" in shown(other, "/activate/account")
    assert client.get("/cards").status_code == 200  # nothing ends before the last step
    assert choose(other, "", "another-long-password") == DONE
    assert Account.objects.count() == User.objects.count() == 1
    assert client.get("/cards")["Location"] == "/login?next=/cards"
    assert other.get("/cards").status_code == 200
    assert not old & set(Authenticator.objects.values_list("pk", flat=True))
    assert sorted(Authenticator.objects.values_list("type", flat=True)) == ["recovery_codes", "totp"]
    assert not SocialAccount.objects.exists()
    assert "correct" in sign_in(Client(), "hanako")
    assert sign_in(Client(), "hanako", "another-long-password") == "/login/code"
    assert Event.objects.filter(action="account.recover").count() == 1


def test_who_breaks_off_has_spent_nothing(client: Client, code: str) -> None:
    enter_code(client, code)
    client.post("/activate/account", {"username": "hanako", "password": "1"})
    client.post("/activate/password", {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert "That is not the code" in client.post("/activate/program", {"code": "1"}, headers=EN).content.decode()
    assert not User.objects.exists()
    assert PASSWORD not in str(dict(client.session))
    later = Client()
    assert enter_code(later, code) == "/activate/account"
    assert choose(later, "hanako") == DONE


def test_recovery_codes_are_shown_once_and_kept_sealed(client: Client, code: str) -> None:
    enter_code(client, code)
    choose(client, "hanako")
    first = shown(client, DONE)
    codes = re.findall(r"\d{4} \d{4} \d{4}", first)
    assert len(codes) == 10
    assert codes[0] not in shown(client, DONE)
    kept = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert client.session.get("mfa.totp.secret") is None
    assert all(piece not in kept for piece in (codes[0].replace(" ", ""), "otpauth"))
    client.post("/logout")
    sign_in(client, "hanako")
    answer = client.post("/login/code", {"code": codes[3]}, headers=EN)
    assert answer["Location"] == "/"
    again = Client()
    sign_in(again, "hanako")
    assert "That was not right" in again.post("/login/code", {"code": codes[3]}, headers=EN).content.decode()


@pytest.mark.parametrize("number", ["983205673214", "９８３２０５６７３２１４", "9832-0567-3214", "12345678901"])
def test_nobody_signs_in_by_a_number_of_the_register(client: Client, code: str, number: str) -> None:
    enter_code(client, code)
    assert "Do not use your individual number" in choose(client, number)
    assert not User.objects.exists()
    assert choose(client, "hanako1234") == DONE


def test_a_taken_name_or_a_weak_password_spends_nothing(client: Client, code: str) -> None:
    User.objects.create_user("hanako")
    enter_code(client, code)
    assert "Somebody else has this user name" in choose(client, "Hanako")
    assert "too short" in choose(client, "sato", "short")
    assert not Notice.objects.exclude(spent_at=None).exists()
    assert choose(client, "sato") == DONE


def test_a_code_opens_one_account_whoever_is_first(resident: UUID, code: str) -> None:
    notice = check_code(code, BORN, at=timezone.now())
    outcomes: list[str] = []

    def activate(number: int) -> None:
        try:
            new = NewSignIn(next_user_id(), f"user-{number}", password_hash="!", program_secret="A" * 32)
            outcomes.append(open_account(notice.pk, new, at=timezone.now()).username)
        except KanpuError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=activate, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("code_void") == 5
    assert Account.objects.count() == User.objects.count() == 1


def test_the_second_step_needs_the_first_and_not_long_ago(client: Client, code: str) -> None:
    assert client.get("/activate/account")["Location"] == "/activate"
    enter_code(client, code)
    session = client.session
    session["activation"] = {
        "notice": Notice.objects.get().pk, "at": (timezone.now() - timedelta(minutes=16)).isoformat(),
    }  # fmt: skip
    session.save()
    assert choose(client, "hanako") == "/activate"
    assert not Account.objects.exists()


def test_without_the_vaults_keys_nobody_loses_a_try(client: Client, code: str, settings: Any) -> None:
    settings.KANPU_VAULT_KEYS = None
    client.raise_request_exception = False
    assert client.post("/activate", {"code": code, "birth_date": "1990-04-01"}).status_code == 500
    assert Notice.objects.get().tries == 0


def test_who_was_erased_has_no_birth_date_to_match(client: Client, resident: UUID, code: str) -> None:
    VaultRecord.objects.filter(pk=resident).delete()
    with pytest.raises(BirthDateWrong):
        check_code(code, BORN, at=timezone.now())


@pytest.mark.parametrize(
    "text",
    ["1990-04-01", "1990/4/1", "19900401", "１９９０年４月１日", "平成2年4月1日", "H2.4.1", " h02-04-01 "],
)
def test_birth_dates_are_read_as_people_type_them(text: str) -> None:
    assert birth_date_of(text) == BORN


def test_first_years_of_eras_and_nonsense() -> None:
    assert birth_date_of("令和元年5月1日") == date(2019, 5, 1)
    assert birth_date_of("昭和64年1月7日") == date(1989, 1, 7)
    for text in ("", "1990", "1990-13-01", "01.04.1990x", "平成2年", "元-1-1", "99999999"):
        assert birth_date_of(text) is None


def test_forms_are_refused_without_their_token(resident: UUID, code: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    steps = ("account", "passkey", "password", "program")
    for path in ("/activate", *(f"/activate/{step}" for step in steps)):
        assert strict.post(path, {"code": code, "birth_date": "1990-04-01"}).status_code == 403
