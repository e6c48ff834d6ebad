from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from apps.audit.access import Access
from apps.audit.commands import OperatorCommand, operator, progress_bar
from apps.audit.officers import Role
from apps.inspections.operations.packing import Made, make_case_pack, make_refund_pack, make_run_pack
from apps.kernel.progress import Seen


class Command(OperatorCommand):
    help = (
        "Write an evidence pack: of a year's run, of one resident's refund in it, or of a case. What is read of a"
        " resident is recorded with its purpose. Check it anywhere: python -m kanpu_verify FILE"
    )

    def arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--run", nargs=2, type=int, metavar=("YEAR", "NUMBER"))
        what.add_argument("--case", type=int, metavar="NUMBER")
        parser.add_argument("--resident", type=UUID, metavar="REFERENCE", help="with --run: this one's refund")
        parser.add_argument("--purpose", default="", help="for what a resident's data is read")
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the pack goes: a new file")

    def run(self, **options: Any) -> dict[str, Any]:
        path: Path = options["out"]
        with _new(path) as file, progress_bar() as progress:
            task = progress.add_task("packing", total=None, rate="")
            made = _made(file, options, lambda done, total: progress.update(task, completed=done, total=total))
        return {"file": str(path), **_figures(made)}


@contextmanager
def _new(path: Path) -> Iterator[BinaryIO]:
    """A new file that only its owner reads; taken away again when it is not finished."""
    if path.exists():
        raise CommandError(f"{path} is there already. Name a new file.")
    with path.open("x+b") as file:
        path.chmod(0o600)
        try:
            yield file
        except BaseException:
            path.unlink()
            raise


def _made(file: BinaryIO, options: dict[str, Any], seen: Seen) -> Made:
    access = Access(operator(), Role.OPERATOR, "", options["purpose"] or "evidence pack")
    if options["case"] is not None:
        return make_case_pack(options["case"], file, access=access, opens_protected=False)
    year, number = options["run"]
    if options["resident"]:
        return make_refund_pack(options["resident"], year, number, file, access=access, opens_protected=False)
    return make_run_pack(year, number, file, actor=operator(), seen=seen)


def _figures(made: Made) -> dict[str, Any]:
    return {"sha256": made.written.sha256, "bytes": made.written.bytes, "records": made.written.records}
