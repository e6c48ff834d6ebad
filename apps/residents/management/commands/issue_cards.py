from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator, progress_bar
from apps.residents.operations import issue_cards


class Command(OperatorCommand):
    help = (
        "Issue a card to every resident who has none and for every card that is ordered, and write the personalisation"
        " file. Killed on the way, it goes on when it is called again with the same --out."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="every resident without a card (the default)")
        parser.add_argument("--valid-from", type=date.fromisoformat, help="first day; by default that of residence")
        parser.add_argument("--hand-over", action="store_true", help="first cards, too, are active from the hand-over")
        parser.add_argument("--municipality", default="", metavar="CODE", help="residents of this municipality only")
        parser.add_argument(
            "--renew-within", type=int, metavar="DAYS", help="also for cards that end within so many days, or have"
        )
        parser.add_argument(
            "--with-codes", action="store_true", help="fill in resident codes: the vault is read, and residents see it"
        )
        parser.add_argument("--out", type=Path, required=True, help="the new personalisation file: it holds card keys")

    def run(self, **options: Any) -> dict[str, Any]:
        with progress_bar() as progress:
            bar = progress.add_task("issuing cards", total=None, rate="")
            issued = issue_cards(
                options["out"],
                valid_from=options["valid_from"],
                at=timezone.now(),
                actor=operator(),
                hand_over=options["hand_over"],
                municipality=options["municipality"],
                renew_within_days=options["renew_within"],
                with_codes=options["with_codes"],
                seen=lambda done, total: progress.update(bar, completed=done, total=total),
            )
        return {"cards": sum(issued), **issued._asdict(), "file": options["out"]}
