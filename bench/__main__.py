"""`make bench` and `make chaos`: how fast a year end is (compare by ratio: machines are noisy), what kills do to it.

`python -m bench import`: how fast a register is read.
"""

import argparse
import json
import os
import random
import sys

from bench import place


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    year_end = actions.add_parser("year-end", help="write var/bench/latest.json and print a table")
    year_end.add_argument("--quick", action="store_true", help="fewer residents and entries: under a minute")
    year_end.add_argument("--rounds", type=int, default=3)
    path = actions.add_parser("hot-path", help="how fast purchases are accepted and counted")
    path.add_argument("--quick", action="store_true", help="fewer purchases: under a minute")
    path.add_argument("--rounds", type=int, default=3)
    pages = actions.add_parser("pages", help="how fast a resident's year page is beside millions of entries")
    pages.add_argument("--quick", action="store_true", help="fewer entries")
    pages.add_argument("--rounds", type=int, default=3)
    chaos = actions.add_parser("chaos", help="kill a year end's processes at random moments")
    chaos.add_argument("--kills", type=int, default=100)
    chaos.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    register = actions.add_parser("import", help="read a register of made-up people, twice")
    register.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    actions_of = {"year-end": _bench, "hot-path": _hot_path, "pages": _pages, "chaos": _chaos, "import": _import}
    actions_of[arguments.action](arguments)


def _hot_path(arguments: argparse.Namespace) -> None:
    folder = place.prepare("bench")
    from bench import hot_path  # noqa: PLC0415

    purchases = 20_000 if arguments.quick else 200_000
    figures = hot_path.measure(folder, purchases=purchases, rounds=arguments.rounds, said=_say)
    for name, value in figures.items():
        print(f"{name:<28}{value:>16,}")


def _bench(arguments: argparse.Namespace) -> None:
    folder = place.prepare("bench")
    from bench import year_end  # noqa: PLC0415 - its models need Django set up

    residents, entries = (50_000, 5_000_000) if arguments.quick else (200_000, 20_000_000)
    found = year_end.measure(folder, residents=residents, entries=entries, rounds=arguments.rounds, said=_say)
    found["cores"] = os.cpu_count() or 0
    (folder / "latest.json").write_text(json.dumps(found, indent=1) + "\n")
    for name, value in found.items():
        print(f"{name:<28}{value:>16,}")


def _pages(arguments: argparse.Namespace) -> None:
    folder = place.prepare("pages")
    from bench import pages  # noqa: PLC0415

    entries = 2_000_000 if arguments.quick else 20_000_000
    figures = pages.measure(folder, entries=entries, rounds=arguments.rounds, said=_say)
    for name, value in figures.items():
        print(f"{name:<28}{value:>16,}")


def _chaos(arguments: argparse.Namespace) -> None:
    folder = place.prepare("chaos")
    from bench import chaos  # noqa: PLC0415

    _say(f"seed {arguments.seed}")
    done = chaos.play(folder, kills=arguments.kills, seed=arguments.seed, said=_say)
    print(f"{done.kills} processes killed {done.hit}: the same digest every time")


def _import(arguments: argparse.Namespace) -> None:
    folder = place.prepare("import")
    from bench import register  # noqa: PLC0415

    found = register.measure(folder, rows=arguments.rows, said=_say)
    found["cores"] = os.cpu_count() or 0
    for name, value in found.items():
        print(f"{name:<28}{value:>16,}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
