"""How operators' commands look: a result in words or as JSON, an error with its code, a name for the trail."""

import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen
from apps.kernel.request_ids import done_for


class OperatorCommand(BaseCommand):
    """Subclasses override `arguments` and `run`; `run` makes one domain call and returns what it did.

    `run` sets `failed` when what it found is no error of the command, and yet a script should stop.
    """

    failed = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        self.arguments(parser)

    def arguments(self, parser: CommandParser) -> None:
        """The command's own arguments."""

    def run(self, **options: Any) -> dict[str, Any]:
        """Do it; the result's keys and values are printed."""
        raise NotImplementedError

    def handle(self, **options: Any) -> None:
        try:
            with done_for(uuid4()):  # all that one command does is found together in the logs
                result = self.run(**options)
        except KanpuError as error:
            raise CommandError(f"{error} [{error.code}]") from error
        if options["json"]:
            self.stdout.write(json.dumps(result, ensure_ascii=False, default=str))
        else:
            self.stdout.write(self.words(result))
        if self.failed:
            sys.exit(1)

    def words(self, result: dict[str, Any]) -> str:
        """The result as people read it: a line for each key."""
        return "\n".join(
            f"{key.replace('_', ' ')}: {value if key == 'year' else _in_words(value)}" for key, value in result.items()
        )


def _in_words(value: object) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return "".join(f"\n  {_in_words(item)}" for item in value) or "none"
    if isinstance(value, dict):
        parts = (f"{key.replace('_', ' ')} {_in_words(part).lstrip()}" for key, part in value.items())
        return ", ".join(parts) or "none"
    return str(value)


def operator() -> str:
    """Who runs this command, as the trail names them."""
    return f"operator:{getpass.getuser()}"


@contextmanager
def bars(*names: str) -> Iterator[list[Seen]]:
    """Progress bars of pieces of work, each of which tells its own how far it is; one that tells nothing has none."""
    with progress_bar() as progress:
        yield [_seen_on(progress, name) for name in names]


def _seen_on(progress: Progress, name: str) -> Seen:
    tasks: list[TaskID] = []

    def seen(done: int, total: int) -> None:
        if not tasks:
            tasks.append(progress.add_task(name, total=None, rate=""))
        progress.update(tasks[0], completed=done, total=total or None)

    return seen


def progress_bar() -> Progress:
    """A progress bar on standard error, so that a result on standard output stays clean."""
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
