"""Who is opened at offices."""

from uuid import UUID

import pytest

from apps.residents.models import Card
from tests.offices import identify
from tests.world import World


@pytest.fixture
def ref(world: World) -> UUID:
    """Hanako, with a card that waits to be handed over."""
    identify(world.residents[0])
    Card.objects.filter(resident=world.residents[0]).update(active_from=None)
    return world.residents[0]
