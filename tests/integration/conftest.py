"""Who is opened at offices, and keys of one's own."""

from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command

from apps.residents.models import Card
from tests.offices import identify
from tests.world import World


@pytest.fixture
def ref(world: World) -> UUID:
    """Hanako, with a card that waits to be handed over."""
    identify(world.residents[0])
    Card.objects.filter(resident=world.residents[0]).update(active_from=None)
    return world.residents[0]


@pytest.fixture
def keys(transactional_db: None, tmp_path: Path, settings: Any) -> Path:
    """Fresh keys in an otherwise empty database."""
    settings.KANPU_VAULT_KEYS = tmp_path / "vault.json"
    call_command("make_keys", out=tmp_path / "keyring.json", stdout=StringIO())
    return tmp_path / "vault.json"
