"""What the demo's shown resident did: named an account, disputed a purchase, so that no page of theirs is empty."""

from typing import Final
from uuid import UUID

from django.utils import timezone

from apps.accruals.models import Dispute
from apps.accruals.queries import entries_of_resident
from apps.purchases.following import Key
from apps.refunds.operations.disputing import Objection, dispute_purchase
from apps.residents.models import CardSuspension
from apps.residents.operations.accounts import name_account
from apps.residents.vault.contents import Account
from apps.simulator.baskets import YEAR

ACTOR: Final = "resident"
BANK: Final = ("0001", "004", "1", "1234567")  # bank, branch, kind and number


def use_the_portal(resident_ref: UUID, *, holder: str) -> None:
    """Name an account in this name, and say of the year's last purchase that it is somebody else's."""
    now = timezone.now()
    name_account(resident_ref, Account(*BANK, holder), channel=CardSuspension.Channel.PORTAL, at=now, actor=ACTOR)
    last = entries_of_resident(resident_ref, YEAR).filter(kind="sale").order_by("-at").first()
    if last:
        objection = Objection(Dispute.Kind.NOT_MINE, "この日、この店には行っていません。", {})
        dispute_purchase(resident_ref, Key(last.terminal_id, last.seq), objection, at=now, actor=ACTOR)
