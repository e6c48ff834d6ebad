"""The bench: `make bench` writes var/bench/latest.json and prints a table. Compare by ratio: machines are noisy."""

import argparse
import json
import os
import sys

from bench import place


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer residents and entries: under a minute")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    place.prepare()
    import django  # noqa: PLC0415 - its settings read where the database is

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from bench import year_end  # noqa: PLC0415
    from config.celery import app  # noqa: PLC0415

    app.set_default()

    call_command("migrate", verbosity=0)
    place.FOLDER.mkdir(parents=True, exist_ok=True)
    residents, entries = (50_000, 5_000_000) if arguments.quick else (200_000, 20_000_000)
    found = year_end.measure(place.FOLDER, residents=residents, entries=entries, rounds=arguments.rounds, said=_say)
    found["cores"] = os.cpu_count()
    (place.FOLDER / "latest.json").write_text(json.dumps(found, indent=1) + "\n")
    for name, value in found.items():
        print(f"{name:<28}{value:>16,}" if isinstance(value, int | float) else f"{name:<28}{value:>16}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
