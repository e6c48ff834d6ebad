"""Losing and finding cards, moving, and what residents say: steps of tests that judge again."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from uuid import UUID

from django.db import connections, transaction
from django.utils import timezone

from apps.accruals.operations.answering import answer
from apps.accruals.operations.counting import count_all
from apps.merchants.models import Terminal
from apps.refunds.operations.recounting import recount
from apps.residents.models import Card, CardSuspension, Resident
from apps.residents.operations.card_life import resume_card, suspend_cards
from apps.residents.operations.judging_due import judge_again
from apps.schemes.models import TaxYear
from tests.till import totals
from tests.world import TERMINAL


def on(day: int, month: int = 8) -> str:
    return f"2017-{month:02}-{day:02}T10:00:00+09:00"


def lose(resident: UUID, since: str, *, counted: bool = True) -> None:
    suspend_cards(
        resident, lost_since=datetime.fromisoformat(since), channel=CardSuspension.Channel.PHONE, at=timezone.now(),
        actor="helpdesk",
    )  # fmt: skip
    if counted:
        count_all()


def find(resident: UUID) -> None:
    for card in Card.objects.filter(resident=resident):
        resume_card(card.pk, channel=CardSuspension.Channel.PORTAL, at=timezone.now(), actor="me")
    count_all()


def key(seq: int, terminal: str = TERMINAL) -> tuple[int, int]:
    return Terminal.objects.get(code=terminal).pk, seq


def say(resident: UUID, *seqs: int, mine: bool) -> list[tuple[str, str]]:
    found = answer(resident, [key(seq) for seq in seqs], confirm=mine, now=timezone.now(), actor="me")
    return [(row.status, row.code) for row in found]


def august(resident: UUID | None = None) -> int:
    return totals(resident).get((2017, 1, 8, "reduced"), (0, 0))[0]


def rebuilt_alike() -> bool:
    """Whether the totals are what the entries come to."""
    version = TaxYear.objects.get(year=2017).scheme_version
    return recount(2017, version=version, actor="test", seen=lambda _: None, dry_run=True).differences == 0


def moved(resident: UUID, resident_to: date | None) -> None:
    """Somebody moved out on another day than was known."""
    with transaction.atomic():
        Resident.objects.filter(ref=resident).update(resident_to=resident_to)
        judge_again([resident], since=datetime(2017, 1, 1, tzinfo=UTC), at=timezone.now())
    count_all()


def in_thread(work: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    return run
