"""The command line: ``python -m config.services status|stop|exec -- COMMAND``."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from config.services import ROOT, ServiceError, running, stop_on_sigterm
from config.services.places import find_home
from config.services.sharing import servers, stop_unused, users


def main() -> int:
    """Do what the command line says and return the exit status."""
    arguments = _parser().parse_args()
    try:
        if arguments.action == "status":
            return _status(arguments.root)
        if arguments.action == "stop":
            return _stop(arguments.root)
        return _exec(arguments.root, arguments.command)
    except (ServiceError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m config.services",
        description="PostgreSQL and Redis of this checkout. They start by themselves when a process needs "
        "them and stop with the last one; DATABASE_URL and REDIS_URL name servers to use instead.",
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: %(default)s)")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("status", help="show each server in one line, and who uses them")
    actions.add_parser("stop", help="stop the servers, unless a process uses them")
    run = actions.add_parser("exec", help="run a command with the servers up and their addresses set")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="program and arguments")
    return parser


def _status(root: Path) -> int:
    home = find_home(root)
    for server in servers(home):
        note = f"  ({server.variable} is set and used instead)" if os.environ.get(server.variable) else ""
        print(server.describe() + note)
    for pid, name in users(home):
        print(f"used by   process {pid}: {name}")
    return 0


def _stop(root: Path) -> int:
    in_use = stop_unused(find_home(root))
    if in_use is None:
        print("stopped")
        return 0
    names = "".join(f"\n  process {pid}: {name}" for pid, name in in_use)
    print(f"Not stopped, still in use by:{names or ' a child of a process that has ended'}", file=sys.stderr)
    return 1


def _exec(root: Path, command: list[str]) -> int:
    command = command[1:] if command[:1] == ["--"] else command
    if not command:
        print("exec: say which command to run", file=sys.stderr)
        return 2
    stop_on_sigterm()
    with running(root):
        try:
            child = subprocess.Popen(command)
        except OSError as error:
            print(error, file=sys.stderr)
            return 127 if isinstance(error, FileNotFoundError) else 126
        return _wait(child)


def _wait(child: subprocess.Popen[bytes]) -> int:
    """Wait for the command to end, passing SIGTERM on; Ctrl-C reaches it from the terminal."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGHUP, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = child.wait()
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    sys.exit(main())
