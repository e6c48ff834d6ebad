import re
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from apps.audit.commands import OperatorCommand, operator, progress_bar
from apps.portal.operations.notices import Order, print_notices
from apps.portal.queries.notices import Chosen


class Command(OperatorCommand):
    help = (
        "Print the letters that tell residents of their card, with a one-time code for the portal, into PDF files"
        " of up to 100. Who has a card and neither a sign-in nor a good letter gets one; --resident gets one in any"
        " case, which mends a lost password. Broken off, start it again; post only what manifest.json lists."
    )

    def arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--resident", type=UUID, metavar="REF")
        whose.add_argument("--municipality", metavar="CODE", help="all of a municipality")
        whose.add_argument("--all", action="store_true")
        parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the files go")
        parser.add_argument("--language", choices=["ja", "en"], help="which comes first (default: each resident's own)")
        parser.add_argument("--office", default="", help="the window at which cards are fetched")
        parser.add_argument("--per-file", type=int, default=100)
        parser.add_argument("--protected", action="store_true", help="protected residents only, with --by")
        parser.add_argument("--by", default="", metavar="USERNAME", help="the protected officer who prints them")

    def run(self, **options: Any) -> dict[str, Any]:
        if options["protected"] != bool(options["by"]):
            raise CommandError("--protected and --by USERNAME go together.")
        if options["per_file"] < 1:
            raise CommandError("--per-file is at least 1.")
        municipality = options["municipality"] or ""
        if municipality and not re.fullmatch(r"\d{6}", municipality):
            raise CommandError("A municipality's code has 6 digits.")
        chosen = Chosen(options["resident"], municipality, options["protected"])
        order = Order(chosen, options["out"], options["language"], options["office"], options["per_file"])
        with progress_bar() as progress:
            task = progress.add_task("printing", total=None, rate="")
            printed = print_notices(
                order,
                by=options["by"],
                actor=operator(),
                seen=lambda done, total: progress.update(task, completed=done, total=total),
            )
        self.failed = bool(printed.skipped)
        return {
            "letters": printed.letters,
            "files": printed.files,
            "folder": str(options["out"]),
            "protected_left_out": printed.protected,
            "drawn_anew": printed.drawn_anew,
            "skipped": printed.skipped,
        }
