"""To whom letters go."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from apps.audit.access import Access
from apps.residents.queries.vault import read_vault


class Addressee(NamedTuple):
    """What the window of an envelope shows."""

    name: str
    postal_code: str
    address: str


def addressees_of(refs: Sequence[UUID], *, access: Access, at: datetime) -> dict[UUID, Addressee]:
    """Names and addresses of these residents, as far as the vault has both; protected ones are not told apart.

    The access is on record first: not inside a transaction. Raises what `read_vault` raises.
    """
    found = read_vault(refs, ("person", "address"), access=access, at=at)
    return {
        ref: Addressee(identity.person.name, identity.address.postal_code, identity.address.address)
        for ref, identity in found.items()
        if identity.person and identity.address
    }
