"""Which passwords nobody can take: those that are tried first."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.pages import resident

pytestmark = pytest.mark.django_db


def take(client: Client, password: str) -> str:
    """Where it leads, or the page that says why not."""
    given = {"new_password1": password, "new_password2": password}
    answer = client.post("/sign-in/password", given, headers={"accept-language": "en"})
    return answer.headers.get("Location") or answer.content.decode()


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("my-Kanpu-2026-summer", "Leave out “kanpu”"),
        ("ｋａｎｐｕ-river-stone", "Leave out “kanpu”"),
        ("ﾏｲﾅﾝﾊﾞｰ-river-stone", "Leave out “マイナンバー”"),
        ("今年の還付をください今年も", "Leave out “還付”"),
        ("hanako-yamada-1", "too similar to the username"),
    ],
)
def test_a_password_with_a_word_of_this_place_or_ones_own_name_is_refused_with_the_reason(
    client: Client, terminal: int, password: str, said: str
) -> None:
    resident("hanako-yamada")
    user = User.objects.get(username="hanako-yamada")
    client.force_login(user)
    before = user.password
    assert said in take(client, password)
    assert User.objects.get(pk=user.pk).password == before


def test_other_long_passwords_are_taken(client: Client, terminal: int) -> None:
    resident("hanako-yamada")
    client.force_login(User.objects.get(username="hanako-yamada"))
    assert take(client, "four small green boats") == "/sign-in"
