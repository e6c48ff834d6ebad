"""`make bench-year`: the year at a tenth of its purchases and whole, each on a database of its own; then the report."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

from apps.kernel.errors import KanpuError
from bench import place
from bench.year import report
from bench.year.sample import Sample

LEGS: Final = 20  # of the whole play; the tenth has legs of the same size
SHORT: Final = 500_000  # a whole play of fewer purchases has 5 legs
TENTH: Final = 10
DISK_A_PURCHASE: Final = 1_500  # bytes while it runs: both databases, their log, scratch files
OUT: Final = place.VAR / "bench"


class Size(NamedTuple):
    """How large the whole play is."""

    residents: int
    purchases: int
    seed: int


def both(size: Size) -> None:
    """Play both and write year.json, growth.svg and year.md to var/bench."""
    _check_room(size)
    for name in ("tenth", "whole"):
        _say(f"the year with {_sample(size, name).purchases:,} purchases of {size.residents:,} residents")
        arguments = [f"--{field}={value}" for field, value in size._asdict().items()]
        done = subprocess.run([sys.executable, "-m", "bench", "year", *arguments, f"--play={name}"], check=False)
        if done.returncode:
            raise SystemExit(f"The {name} play failed, see above. Its logs and database stay: var/year_{name}/logs.")
    played = {name: json.loads(_file(name).read_text()) for name in ("tenth", "whole")}
    OUT.mkdir(parents=True, exist_ok=True)
    report.write(OUT, played)
    print((OUT / "year.md").read_text())


def play(size: Size, name: str) -> None:
    """One of the plays, in this process; its figures go to var/year_NAME/play.json."""
    folder = place.prepare(f"year_{name}")
    from bench.year.play import play as play_year  # noqa: PLC0415 - its models need Django set up

    try:
        found: dict[str, Any] = play_year(folder, _sample(size, name), legs=_legs(size, name))
    except KanpuError as error:
        raise SystemExit(f"{error} [{error.code}]") from error
    _file(name).write_text(json.dumps(found, indent=1) + "\n")


def _check_room(size: Size) -> None:
    """Leave with a clear word when the disk is too small."""
    place.VAR.mkdir(exist_ok=True)
    free, needed = shutil.disk_usage(place.VAR).free, size.purchases * DISK_A_PURCHASE + 2 * 10**9
    if free < needed:
        raise SystemExit(f"{needed / 1e9:.0f} GB of disk are needed, {free / 1e9:.0f} are free. Or: --purchases N.")


def _sample(size: Size, name: str) -> Sample:
    return Sample(size.residents, size.purchases // TENTH if name == "tenth" else size.purchases, size.seed)


def _legs(size: Size, name: str) -> int:
    legs = LEGS if size.purchases > SHORT else LEGS // 4
    return max(1, legs // TENTH) if name == "tenth" else legs


def _file(name: str) -> Path:
    return place.VAR / f"year_{name}" / "play.json"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
