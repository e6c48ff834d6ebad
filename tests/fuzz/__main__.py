"""`make fuzz-bytes`: Atheris plays each target, or the one named, for so many seconds, from its seeds on.

What it finds on the way is kept in var/fuzz/ and is where it begins the next time. Exits with 1 when a target breaks.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def main() -> None:
    """Play the named targets, a process each: a fuzzer ends its process."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument("--play", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.play:
        _play(arguments.targets[0], arguments.seconds)
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    for name in arguments.targets or TARGETS:
        command = [sys.executable, "-m", "tests.fuzz", name, "--play", "--seconds", str(arguments.seconds)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name} broke:\n{done.stderr[-4000:]}")
        print(f"{name:<10} {_runs(done.stderr):>12} inputs, no crash", flush=True)


def _runs(said: str) -> str:
    """libFuzzer's own count."""
    ran = [line.split() for line in said.splitlines() if line.startswith(("Done ", "stat::number_of_executed_units"))]
    return f"{int(ran[-1][-1] if ran[-1][0].startswith('stat') else ran[-1][1]):,}" if ran else "?"


def _play(name: str, seconds: int) -> None:
    import atheris  # noqa: PLC0415 - which is there on Linux only

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with atheris.instrument_imports(include=["apps", "kanpu_pos"]):
        from tests.fuzz import targets  # noqa: PLC0415
    folder = ROOT / "var" / "fuzz" / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(targets.SEEDS[name]):
        (folder / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-print_final_stats=1", f"-artifact_prefix={folder}/", "-max_len=4096"]
    atheris.Setup([sys.argv[0], *options, str(folder)], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
