"""The commands that rotate keys, and what must hold whatever they do."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.core.management import call_command
from django.utils import timezone

from apps.residents.key_documents import Kind
from apps.residents.queries.vault import (
    read_vault,
    resident_by_code,
    resident_by_number,
    residents_named,
)
from tests.vault import BORN, DESK, HOME
from tests.world import World

KINDS = [kind.value for kind in Kind]


def command(name: str, *arguments: str) -> Any:
    out = StringIO()
    call_command(name, *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def rotate(kind: str, *options: str) -> Any:
    return command("rotate_keys", kind, *options)


def statuses() -> dict[str, dict[str, Any]]:
    return {key["name"]: key for key in command("keys_status")["keys"]}


def key_file(kind: str) -> Path:
    name = "KANPU_VAULT_KEYS" if kind.startswith("vault") else "KANPU_KEYRING"
    return Path(str(getattr(django_settings, name)))


def old_and_new(kind: str) -> tuple[str, str]:
    """The names of a kind's first key and of the next; sealing keys of both modes are numbered together."""
    words = {"sealing": ("sealing 1", "sealing 3"), "issuer": ("issuer live 1", "issuer live 2")}
    return words.get(kind, (f"{kind.replace('-', ' ')} 1", f"{kind.replace('-', ' ')} 2"))


def assert_the_vault_is_whole(world: World) -> None:
    one, two = world.residents
    found = read_vault(world.residents, ["individual_number", "person", "address"], access=DESK, at=timezone.now())
    assert [found[ref].individual_number for ref in (one, two)] == ["983205673214", "123456789018"]
    assert found[one].address == HOME
    assert (resident_by_number("983205673214"), resident_by_code("12345678901")) == (one, one)
    assert residents_named("すずき はなこ", BORN) == [two]


def keys_in(text: str) -> set[str]:
    """Every key in a document, as text."""
    document = json.loads(text)
    listed = [json.dumps(key, sort_keys=True) for part in document.values() if isinstance(part, list) for key in part]
    if isinstance(document["sealing"], dict):
        listed += [f"{number} {key}" for number, key in document["sealing"].items()]
    return set(listed)
