"""For whom somebody acts, and who acts for them, by name where the name may be said."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from apps.audit.access import Access
from apps.audit.purposes import ACTING, NAMING
from apps.portal.queries.accesses import OWN_ACCESS
from apps.portal.viewer import Viewer
from apps.residents.acting import Grant
from apps.residents.models import VaultRecord
from apps.residents.queries.proxies import ProxyOf, grants_of, proxies_of
from apps.residents.queries.vault import checked_vault_keys, has_vault_keys, opened, read_vault
from apps.residents.vault.keys import VaultKeysMissing, VaultKeysOutdated
from apps.residents.vault.sealing import VaultDamaged

BY_CODE: Final = Access(actor="resident", role="namer", office="", purpose=NAMING)


@dataclass(frozen=True, slots=True)
class NamedGrant:
    """For whom somebody may act; `name` is empty where it may not be said."""

    grant: Grant
    name: str


@dataclass(frozen=True, slots=True)
class NamedProxy:
    """Who acts for a resident, or did; the name of one who does not any more is not read."""

    of: ProxyOf
    name: str


def access_of(viewer: Viewer) -> Access:
    """As whom a viewer stands in the resident's list of accesses: the resident themselves, or who acts for them."""
    return OWN_ACCESS if viewer.grant is None else _acting(viewer.actor)


def own_grants(agent_ref: UUID, *, actor: str, at: datetime) -> list[NamedGrant]:
    """For whom a resident may act now. Those whose names are said see that in their accesses, with this actor."""
    grants = grants_of(agent_ref, at=at)
    names = _names([grant.resident_ref for grant in grants if grant.shows_name], _acting(actor), at)
    return [NamedGrant(grant, names.get(grant.resident_ref, "")) for grant in grants]


def own_proxies(ref: UUID, *, at: datetime) -> list[NamedProxy]:
    """Who acts for a resident now, by name: by giving the code they let it be said. Then those who did."""
    proxies = proxies_of(ref, at=at)
    names = _names([one.proxy.proxy_id for one in proxies if one.is_in_force], BY_CODE, at)
    return [NamedProxy(one, names.get(one.proxy.proxy_id, "") if one.is_in_force else "") for one in proxies]


def name_of_code_owner(agent_ref: UUID, *, access: Access = BY_CODE, at: datetime) -> str:
    """Who gave a code, so that nobody names somebody else. They see that in their accesses."""
    return _names([agent_ref], access, at).get(agent_ref, "")


def name_for(viewer: Viewer) -> str:
    """Whose page a proxy has open, where it may be said: two queries. The page's own record covers it (`note_use`)."""
    if viewer.grant is None or not viewer.grant.shows_name or not has_vault_keys():
        return ""
    try:
        keys = checked_vault_keys()
        row = VaultRecord.objects.filter(pk=viewer.ref, erased_at=None).values("resident_id", "person").first()
        person = opened(keys, viewer.ref, {**row}).person if row else None
    except (VaultKeysMissing, VaultKeysOutdated, VaultDamaged):  # the page is as good without
        return ""
    return person.name if person else ""


def _acting(actor: str) -> Access:
    return Access(actor=actor, role="proxy", office="", purpose=ACTING)


def _names(refs: Collection[UUID], access: Access, at: datetime) -> Mapping[UUID, str]:
    if not refs or not has_vault_keys():
        return {}
    found = read_vault(list(refs), ("person",), access=access, at=at)
    return {ref: identity.person.name for ref, identity in found.items() if identity.person}
