"""Looking at who acts for an opened resident: that somebody looks is on record before anything is read."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.residents.operations.office_proxies import code_owner
from apps.residents.queries.households import Household, household_of
from apps.residents.queries.proxies import ProxyOf, proxies_of
from apps.residents.queries.register import protected_among
from apps.residents.queries.vault import read_vault


@dataclass(frozen=True, slots=True)
class ActingPage:
    """Who acts for a resident, never by name, and what the household sees of the resident."""

    proxies: tuple[ProxyOf, ...]
    earlier: tuple[ProxyOf, ...]
    household: Household


class CodeOwner(NamedTuple):
    """Who gave a code. A protected one is named to named officers only."""

    name: str
    is_hidden: bool


def look_at_acting(resident_ref: UUID, *, access: Access, at: datetime) -> ActingPage:
    """Proxies, guardians and consent."""
    record_accesses(access, [resident_ref], what="page:acting", at=at)
    found = proxies_of(resident_ref, at=at)
    now, earlier = (tuple(one for one in found if one.is_in_force == wanted) for wanted in (True, False))
    return ActingPage(now, earlier, household_of(resident_ref, at=at))


def look_at_code_owner(
    resident_ref: UUID, code: str, *, access: Access, opens_protected: bool, at: datetime
) -> CodeOwner:
    """Who is to act, to be compared with who stands there or with the document; they see that they were looked up.

    Raises what `owner_of_code` and `read_vault` raise.
    """
    agent_ref = code_owner(code, resident_ref=resident_ref, actor=access.actor, at=at)
    if protected_among([agent_ref]) and not opens_protected:
        record_accesses(access, [agent_ref], what="refused: protected", at=at)
        return CodeOwner("", is_hidden=True)
    identity = read_vault([agent_ref], ["person"], access=access, at=at).get(agent_ref)
    return CodeOwner(identity.person.name if identity and identity.person else "", is_hidden=False)
