"""`make bench`, `make bench-year`, `make demo-payouts`: how fast it is, what a country would take, paying once.

`python -m bench import`: how fast a register is read. Compare by ratio: machines are noisy.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Final

from bench import place, table
from config import services

PARTS: Final = ("hot-path", "year-end", "pages")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for name, told in (
        ("all", "all of the next, one after the other on the same servers: var/bench/latest.json and a table"),
        ("hot-path", "how fast purchases are accepted and counted"),
        ("year-end", "how fast a year end is"),
        ("pages", "how long a resident's year page takes, and that it does not take longer as data grows"),
    ):
        action = actions.add_parser(name, help=told)
        action.add_argument("--quick", action="store_true", help="smaller: all parts together within a minute")
        action.add_argument("--rounds", type=int, help="each figure is the median of so many: 3, quickly 1")
        action.add_argument("--out", type=Path, help="write the figures there as JSON")
    payouts = actions.add_parser("payouts", help="pay a run over each rail while office and bank are killed")
    payouts.add_argument("--rail", choices=["zengin", "stripe"], help="only this one")
    payouts.add_argument("--payouts", type=int, default=10_000, help="how many refunds (default: 10,000)")
    payouts.add_argument("--kills", type=int, default=30, help="how often a process is killed (default: 30)")
    payouts.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    zengin = actions.add_parser("zengin", help="write and read a transfer file")
    zengin.add_argument("--transfers", type=int, default=500_000)
    register = actions.add_parser("import", help="read a register of made-up people, twice")
    register.add_argument("--rows", type=int, default=1_000_000)
    find = actions.add_parser("find", help="how long auditors wait for what any two filters find")
    find.add_argument("--entries", type=int, default=20_000_000)
    find.add_argument("--rounds", type=int, default=20, help="how often each pair is asked")
    export = actions.add_parser("export", help="how much memory an export takes")
    export.add_argument("--entries", type=int, default=1_000_000)
    year = actions.add_parser("year", help="a synthetic national sample's whole year, and what it means for Japan")
    year.add_argument("--residents", type=int, default=200_000)
    year.add_argument("--purchases", type=int, default=20_000_000)
    year.add_argument("--seed", type=int, default=2017)
    year.add_argument("--quick", action="store_true", help="20,000 residents and 100,000 purchases: to try it")
    year.add_argument("--play", choices=["tenth", "whole"], help=argparse.SUPPRESS)  # one of its plays, as a process
    arguments = parser.parse_args()
    if "rounds" in arguments and arguments.rounds is None:
        arguments.rounds = 1 if arguments.quick else 3
    alone = {"all": _all, "payouts": _payouts, "zengin": _zengin, "import": _import, "year": _year}
    alone |= {"find": _find, "export": _export}
    alone.get(arguments.action, _part)(arguments)


def _all(arguments: argparse.Namespace) -> None:
    """Each part in a process and a database of its own, so that none finds what another left."""
    folder = place.VAR / "bench"  # where the year's figures are, too
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, int | float] = {}
    with services.running():
        subprocess.run([sys.executable, "-c", "from bench.place import prepare; prepare('bench_migrated')"], check=True)
        os.environ[place.MIGRATED] = "kanpu_bench_migrated"
        for part in PARTS:
            out = folder / f"{part}.json"
            options = ["--rounds", str(arguments.rounds), "--out", str(out), *(["--quick"] if arguments.quick else [])]
            subprocess.run([sys.executable, "-m", "bench", part, *options], check=True, stdout=subprocess.DEVNULL)
            figures |= json.loads(out.read_text())
    at = datetime.now().astimezone()
    table.write(folder / "latest.json", figures, at=at, rounds=arguments.rounds, is_quick=arguments.quick)
    print(table.table(figures))


def _part(arguments: argparse.Namespace) -> None:
    folder = place.prepare(f"bench_{arguments.action.replace('-', '_')}")
    figures = {"hot-path": _hot_path, "year-end": _year_end, "pages": _pages}[arguments.action](folder, arguments)
    if arguments.out:
        arguments.out.write_text(json.dumps(figures) + "\n")
    print(table.table(figures))


def _hot_path(folder: Path, arguments: argparse.Namespace) -> table.Figures:
    from bench import hot_path  # noqa: PLC0415 - its models need Django set up

    purchases, waiting = (12_000, 21_000) if arguments.quick else (250_000, 250_000)
    return hot_path.measure(folder, purchases=purchases, waiting=waiting, rounds=arguments.rounds, said=_say)


def _year_end(folder: Path, arguments: argparse.Namespace) -> table.Figures:
    from bench import year_end  # noqa: PLC0415

    residents, entries = (10_000, 100_000) if arguments.quick else (200_000, 20_000_000)
    return year_end.measure(folder, residents=residents, entries=entries, rounds=arguments.rounds, said=_say)


def _pages(folder: Path, arguments: argparse.Namespace) -> table.Figures:
    from bench import pages  # noqa: PLC0415

    entries, per_s = (250_000, 50) if arguments.quick else (20_000_000, 10)  # a page is measured, not a queue
    return pages.measure(folder, entries=entries, per_s=per_s, rounds=arguments.rounds, said=_say)


def _payouts(arguments: argparse.Namespace) -> None:
    if arguments.rail is None:  # each in a process and a database of its own
        for rail in ("zengin", "stripe"):
            done = subprocess.run([sys.executable, "-m", "bench", *sys.argv[1:], "--rail", rail], check=False)
            if done.returncode:
                sys.exit(done.returncode)  # it has said why
        return
    folder = place.prepare(f"paid_once_{arguments.rail}")
    from bench import payouts  # noqa: PLC0415

    _say(f"{arguments.rail}, --seed {arguments.seed}")
    found = payouts.play(
        folder, rail=arguments.rail, payouts=arguments.payouts, kills=arguments.kills, seed=arguments.seed, said=_say
    )
    print(json.dumps(found, indent=1))
    print(f"every obligation was paid exactly once through {arguments.rail}, by the ledger of who paid")


def _zengin(arguments: argparse.Namespace) -> None:
    from bench import zengin  # noqa: PLC0415

    print(json.dumps(zengin.measure(place.empty_folder("zengin"), transfers=arguments.transfers), indent=1))


def _import(arguments: argparse.Namespace) -> None:
    folder = place.prepare("import")
    from bench import register  # noqa: PLC0415

    found = register.measure(folder, rows=arguments.rows, said=_say)
    found["cores"] = os.cpu_count() or 0
    for name, value in found.items():
        print(f"{name:<28}{value:>16,}")


def _find(arguments: argparse.Namespace) -> None:
    folder = place.prepare("bench_find")
    from bench import find  # noqa: PLC0415

    for line in find.measure(folder, entries=arguments.entries, rounds=arguments.rounds, said=_say):
        print(line)


def _export(arguments: argparse.Namespace) -> None:
    place.prepare("bench_export")
    from bench import exporting  # noqa: PLC0415

    for line in exporting.measure(entries=arguments.entries, said=_say):
        print(line, flush=True)


def _year(arguments: argparse.Namespace) -> None:
    from bench.year import run  # noqa: PLC0415

    if arguments.quick:
        arguments.residents, arguments.purchases = 20_000, 100_000
    size = run.Size(arguments.residents, arguments.purchases, arguments.seed)
    if arguments.play:
        run.play(size, arguments.play)
    else:
        run.both(size)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
