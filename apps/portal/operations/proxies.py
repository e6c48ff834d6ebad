"""What residents do in the portal about who acts for them, for whom they act, and what the household sees."""

from datetime import datetime
from uuid import UUID

from apps.portal.viewer import Viewer
from apps.residents.acting import Terms
from apps.residents.models import Proxy
from apps.residents.models.proxies import Channel
from apps.residents.operations import head_payments, household_consent, proxies
from apps.residents.operations.proxies import Asked, Made


def code_owner(viewer: Viewer, code: str, *, at: datetime) -> UUID:
    """Who gave the resident this code. Raises what `owner_of_code` raises."""
    return proxies.owner_of_code(code, resident_ref=viewer.ref, seeker=proxies.seeker_of(viewer.ref), at=at)


def name_proxy(viewer: Viewer, code: str, terms: Terms, *, at: datetime) -> Proxy:
    """Have who gave the code act for the resident. Raises what `name_proxy` of residents raises."""
    seeker = proxies.seeker_of(viewer.ref)
    return proxies.name_proxy(viewer.ref, code, terms, asked=_asked(viewer), seeker=seeker, at=at)


def renew_proxy(viewer: Viewer, proxy_id: int, *, at: datetime) -> Proxy:
    """Another year from now. Raises ProxyMissing for another's as well."""
    return proxies.renew_proxy(viewer.ref, proxy_id, asked=_asked(viewer), at=at)


def end_proxy(viewer: Viewer, proxy_id: int, *, at: datetime) -> None:
    """End it at once, as the resident or as the proxy. Raises ProxyMissing for another's as well."""
    proxies.end_proxy(viewer.ref, proxy_id, asked=_asked(viewer), at=at)


def make_code(viewer: Viewer, *, at: datetime) -> Made:
    """A code by which the viewer can be named."""
    return proxies.make_code(viewer.ref, at=at, actor=viewer.actor)


def set_consent(viewer: Viewer, *, is_given: bool, at: datetime) -> None:
    """Let the others of the household see, or not any more. Raises what `give_consent` raises."""
    change = household_consent.give_consent if is_given else household_consent.withdraw_consent
    change(viewer.ref, asked=_asked(viewer), at=at)


def set_head_payment(viewer: Viewer, *, is_given: bool, at: datetime) -> None:
    """Agree that refunds of the household go to its head, or take it back. Raises NoHeadToPay."""
    change = head_payments.agree_to_head if is_given else head_payments.take_back_head
    change(viewer.ref, at=at, actor=viewer.actor)


def _asked(viewer: Viewer) -> Asked:
    return Asked(viewer.actor, Channel.PORTAL)
