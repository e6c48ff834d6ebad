"""The alarms, for auditors: what looks wrong, the newest first."""

from dataclasses import dataclass
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import Count
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.audit.models import Alarm

ALARMS_A_PAGE: Final = 50
KINDS: Final[dict[str, Promise]] = {
    "seq_conflict": _("A number was used twice with different content"),
    "chain_gap": _("A sealed batch left out records"),
    "chain_fork": _("A sealed record was sent again with other content"),
    "seal_mismatch": _("A seal does not fit its batch"),
    "seal_missing": _("A sealed terminal sent without a seal"),
    "closing_differs": _("A closing differs from the records: a lost tail?"),
    "closing_unreadable": _("Records that cannot be read keep closings from being compared"),
    "closing_failed": _("A closing cannot be compared"),
    "terminal_rekeyed": _("A terminal was enrolled again with a new key"),
    "card_cloned": _("A card's counter was used twice: a copy?"),
    "clerk_browses": _("Somebody of staff opened unusually many residents"),
    "phone_guessing": _("Somebody answering the telephone tried too many particulars that belong to nobody"),
    "register_guessing": _("Somebody of staff tried too many particulars that belong to nobody"),
    "claim_guessing": _("A resident tried too many claim codes"),
    "batch_failed": _("A batch cannot be counted"),
    "judging_failed": _("A resident's purchases cannot be judged again"),
    "followup_failed": _("A return, void or correction cannot be settled"),
}


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm in words. `detail` are its particulars as (name, value)."""

    alarm: Alarm
    kind: str | Promise
    detail: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AlarmsPage:
    """One page of alarms, and how many there are of each kind."""

    rows: tuple[AlarmRow, ...]
    page: "Page[Alarm]"
    kinds: tuple[tuple[str, str | Promise, int], ...]
    chosen: str


def alarms_page(*, kind: str, page: str | None) -> AlarmsPage:
    """The alarms of a kind, or all: three queries."""
    alarms = Alarm.objects.order_by("-raised_at", "-pk")
    found = Paginator(alarms.filter(kind=kind) if kind else alarms, ALARMS_A_PAGE).get_page(page)
    counts = Alarm.objects.values_list("kind").annotate(count=Count("pk")).order_by("kind")
    return AlarmsPage(
        rows=tuple(_row(alarm) for alarm in found.object_list),
        page=found,
        kinds=tuple((code, KINDS.get(code, code), count) for code, count in counts),
        chosen=kind,
    )


def _row(alarm: Alarm) -> AlarmRow:
    detail: dict[str, Any] = alarm.detail
    return AlarmRow(
        alarm, KINDS.get(alarm.kind, alarm.kind), tuple((name, _words(value)) for name, value in detail.items())
    )


def _words(value: Any) -> str:
    """A particular as people read it: amounts per tier with their thousands apart."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {amount:,}" for name, amount in value.items()) or "0"
    return str(value)
