from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand
from apps.refunds.queries.replays import Replay, replay
from apps.refunds.words import amount_text


class Command(OperatorCommand):
    help = (
        "Compute one refund again from its purchases as shops sent them, explain every line, and say whether it is the"
        " same. Exit status 1 when it is not."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("resident_ref", type=UUID)
        parser.add_argument("year", type=int)
        parser.add_argument("--run", type=int, dest="number", help="default: the newest that has a refund")
        parser.add_argument("--language", choices=["en", "ja"], default="en")

    def run(self, **options: Any) -> dict[str, Any]:
        found = replay(options["resident_ref"], options["year"], options["number"])
        self.failed = not found.identical
        return _in_words(found, options["language"])


def _in_words(found: Replay, language: Any) -> dict[str, Any]:
    scheme = found.scheme
    zone = ZoneInfo(scheme.time_zone)

    def money(amount: Any) -> str:
        return amount_text(scheme, amount, language)

    return {
        "resident_ref": str(found.kept.resident_ref),
        "year": found.kept.tax_year,
        "run": found.run.number,
        "identical": found.identical,
        "kept_minor": found.kept.entitled_minor,
        "replayed_minor": found.refund_minor,
        "differences": [getattr(words, language) for words in found.differences],
        "purchases": [
            f"{left.at.astimezone(zone):%Y-%m-%d %H:%M %Z} {left.terminal} {left.seq}: "
            + (", ".join(f"{tier} {money(amount)}" for tier, amount in left.amounts.items()) or "nothing left")
            + (f" ({left.records} records)" if left.records > 1 else "")
            for left in found.purchases
        ],
        "lines": [getattr(line.words(scheme), language) for line in found.explanation.lines],
        "steps": [f"{getattr(step.words, language)} → {money(step.left)}" for step in found.explanation.steps],
    }
