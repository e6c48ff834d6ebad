from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator, progress_bar
from apps.merchants.models import Mode
from apps.residents.key_documents import BY_MODE, Kind
from apps.residents.operations.rotating import Change, retire, rotate


class Command(OperatorCommand):
    help = (
        "Rotate a kind of key: a new one in the key file, switched on, and all rows moved to it, while everything runs."
        " Killed on the way, it goes on when it is called again. See docs/register.md, Rotating a key."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=[kind.value for kind in Kind])
        parser.add_argument("--mode", choices=Mode.values, default=Mode.LIVE, help="of sealing and issuer keys")
        parts = parser.add_mutually_exclusive_group()
        parts.add_argument("--add-only", action="store_true", help="add a key to the file and stop: hand the file out")
        parts.add_argument("--use", action="store_true", help="add no key: switch on what was added, move rows")
        parts.add_argument("--retire", type=int, metavar="VERSION", help="take an old key out of use and of the file")
        parser.add_argument("--force", action="store_true", help="retire a key though purchases that need it may come")
        parser.add_argument("--seal-days", type=int, default=730, help="how long readers may seal to a new sealing key")
        parser.add_argument("--overlap-days", type=int, default=30, help="how long they may still seal to the old one")

    def run(self, **options: Any) -> dict[str, Any]:
        kind = Kind(options["kind"])
        mode = options["mode"] if kind in BY_MODE else ""
        change = Change(kind=kind, mode=mode, at=timezone.now(), actor=operator())
        if options["retire"] is not None:
            return retire(change, options["retire"], force=options["force"])._asdict()
        with progress_bar() as progress:
            bar = progress.add_task(f"moving to the new {kind} key", total=None, rate="")
            rotated = rotate(
                change,
                seal_days=options["seal_days"],
                overlap_days=options["overlap_days"],
                add_only=options["add_only"],
                use_only=options["use"],
                seen=lambda done, total: progress.update(bar, completed=done, total=total),
            )
        self.failed = bool(rotated.damaged)
        return rotated._asdict()
