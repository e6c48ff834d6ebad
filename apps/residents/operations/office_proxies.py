"""What a clerk does about proxies, guardians and the household's sight, at a window or by letter: on record as such."""

from datetime import datetime
from uuid import UUID

from apps.residents.acting import Terms
from apps.residents.models import Proxy
from apps.residents.operations.household_consent import give_consent, withdraw_consent
from apps.residents.operations.office import Acting
from apps.residents.operations.proxies import Asked, end_proxy, name_proxy, owner_of_code


def code_owner(code: str, *, resident_ref: UUID, actor: str, at: datetime) -> UUID:
    """Who wants to act for the resident, by the code that a clerk was shown. Raises what `owner_of_code` raises."""
    return owner_of_code(code, resident_ref=resident_ref, seeker=actor, at=at)


def name_for(by: Acting, code: str, terms: Terms) -> Proxy:
    """Record a proxy, or a guardian where the terms have a document. Raises what `name_proxy` raises."""
    return name_proxy(by.resident_ref, code, terms, asked=_asked(by), seeker=by.actor, at=by.at)


def end_for(by: Acting, proxy_id: int) -> None:
    """End a proxy or guardian of the resident. Raises ProxyMissing for another's as well."""
    end_proxy(by.resident_ref, proxy_id, asked=_asked(by), at=by.at)


def set_consent_for(by: Acting, *, is_given: bool) -> None:
    """Let the others of the household see, or not any more. Raises what `give_consent` raises."""
    change = give_consent if is_given else withdraw_consent
    change(by.resident_ref, asked=_asked(by), at=by.at)


def _asked(by: Acting) -> Asked:
    return Asked(by.actor, by.channel.value, by.office)
