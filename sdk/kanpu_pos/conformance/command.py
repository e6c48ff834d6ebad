"""`kanpu-pos conformance`: play the cases against a server in test mode, and write the signed report."""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, TextIO

import httpx

from kanpu_pos.conformance import cases  # noqa: F401 - puts the cases on the list
from kanpu_pos.conformance.expecting import Failure, field
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.link import Link
from kanpu_pos.conformance.registry import Case, chosen
from kanpu_pos.conformance.report import Outcome, signed, terminals_json
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.version import VERSION

ALL_PASSED: Final = 0
SOME_FAILED: Final = 1
NOT_BEGUN: Final = 2
TIMEOUT_S: Final = 30.0
NOT_THE_SHAPE: Final = (KeyError, IndexError, TypeError, AttributeError, ValueError)  # of an answer that was read

_NAME = re.compile(r"[!-.0-~]+")  # no spaces and no slash: it becomes a part of Kanpu-Software


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns 0 when all cases passed, 1 when one failed, 2 when it could not begin."""
    options = _parser().parse_args(argv)
    wanted = chosen(options.only, with_till=bool(options.till_terminal) or options.list)
    progress = sys.stderr if options.json else sys.stdout
    if options.list:
        _say(sys.stdout, *(f"{case.group}: {case.name}  [{case.source}]" for case in wanted))
        return ALL_PASSED
    if problem := _problem(options, wanted):
        _say(sys.stderr, f"kanpu-pos conformance: {problem}")
        return NOT_BEGUN
    return _run(options, wanted, progress)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kanpu-pos conformance",
        description="Play every case of the POS protocol against a server in test mode, look at what your own till has "
        "sold there, and write a signed report.",
    )
    parser.add_argument("--url", default="", help="the server, such as https://pos.kanpu.example")
    parser.add_argument(
        "--key", default=os.environ.get("KANPU_POS_KEY", ""), help="a key kp_test_… with all scopes (or KANPU_POS_KEY)"
    )
    for name in ("vendor", "product", "version"):
        parser.add_argument(f"--{name}", default="", help=f"the {name} that the report is for")
    parser.add_argument("--till-terminal", metavar="CODE", help="a terminal on which your own software has sold")
    parser.add_argument("--merchant", type=int, metavar="NUMBER", help="whose terminals a vendor's key enrols")
    parser.add_argument("--on", type=date.fromisoformat, metavar="DATE", help="sell on this day instead of today")
    parser.add_argument("--wait-s", type=float, default=60.0, help="how long workers may take (default: %(default)g)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORDS", help="cases with these words; repeatable"
    )
    parser.add_argument("--out", type=Path, default=Path("conformance-report.json"), help="default: %(default)s")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    parser.add_argument("--json", action="store_true", help="print the report as JSON, the progress to stderr")
    return parser


def _problem(options: argparse.Namespace, wanted: Sequence[Case]) -> str:
    """What is missing on the command line; empty when nothing is."""
    if not _is_address(options.url):
        return "give the server's address: --url https://…"
    if not options.key.startswith("kp_test_"):
        return "give a test key: --key kp_test_… (the kit makes terminals and records that only test mode is for)"
    if unnamed := [name for name in ("vendor", "product", "version") if not _NAME.fullmatch(getattr(options, name))]:
        return f"give --{' and --'.join(unnamed)}, without spaces or slashes"
    if not options.out.parent.is_dir():
        return f"{options.out.parent} is no folder to write the report to"
    return "" if wanted else "no case has these words: see --list"


def _is_address(url: str) -> bool:
    try:
        return httpx.URL(url).scheme in ("http", "https") and bool(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False


def _run(options: argparse.Namespace, wanted: Sequence[Case], progress: TextIO) -> int:
    software = f"{options.vendor}/{options.product}/{options.version}"
    link = Link(options.url, options.key, software=software, timeout_s=TIMEOUT_S)
    kit = Kit(
        link, on=options.on, wait_s=options.wait_s, till_terminal=options.till_terminal, merchant=options.merchant,
        on_wait=lambda: _show(progress, "."),
    )  # fmt: skip
    started_at = datetime.now(UTC)
    try:
        own = kit.prepare()
        till = _till(kit)
        outcomes = [_played(kit, case, f"[{n}/{len(wanted)}]", progress) for n, case in enumerate(wanted, start=1)]
    except (Failure, KanpuPosError, *NOT_THE_SHAPE) as error:
        shown = f"\n{link.exchanges[-1].shown()}" if link.exchanges else ""
        _say(sys.stderr, f"kanpu-pos conformance: the kit could not begin: {error}{shown}")
        return NOT_BEGUN
    finally:
        link.close()
    report = {
        **{name: getattr(options, name) for name in ("vendor", "product", "version", "url")},
        "kit": VERSION,
        "started_at": started_at.isoformat(),
        "ended_at": datetime.now(UTC).isoformat(),
        "complete": not options.only,
        "cases": [outcome.as_json() for outcome in outcomes],
        "terminals": terminals_json(kit.terminals),
        "till": till,
    }
    options.out.write_text(signed(report, own) + "\n", encoding="utf-8")
    return _concluded(options, report, outcomes, progress)


def _till(kit: Kit) -> dict[str, Any] | None:
    """Where the vendor's own terminal stands."""
    if kit.till_terminal is None:
        return None
    state = kit.state(kit.till_terminal)
    return {name: field(state, name) for name in ("code", "next_seq", "head")}


def _played(kit: Kit, case: Case, counted: str, progress: TextIO) -> Outcome:
    """Play one case, and say what became of it."""
    _show(progress, f"{counted} {case.group}: {case.name} …")
    kit.link.clear()
    failure: Failure | None = None
    try:
        case.play(kit)
    except Failure as error:
        failure = error
    except NOT_THE_SHAPE as error:
        failure = Failure("an answer of the protocol's shape", f"{type(error).__name__}: {error}")
    exchanges = kit.link.exchanges
    outcome = Outcome(
        case.group, case.name, case.source, [exchange.request_id for exchange in exchanges if exchange.request_id],
        expected=failure.expected if failure else "", answered=failure.answered if failure else "",
        shown=exchanges[-1].shown() if exchanges else "nothing was sent",
    )  # fmt: skip
    _say(progress, " ok" if outcome.passed else " FAILED", *([] if outcome.passed else _explained(outcome)))
    return outcome


def _explained(outcome: Outcome) -> list[str]:
    """What a failing case shows."""
    return [
        f"    expected: {outcome.expected}",
        f"    answered: {outcome.answered}",
        f"    protocol: {outcome.source}",
        *(f"    | {line}" for line in outcome.shown.splitlines()),
    ]


def _concluded(
    options: argparse.Namespace, report: dict[str, Any], outcomes: Sequence[Outcome], progress: TextIO
) -> int:
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if options.json:
        _say(sys.stdout, json.dumps(report, ensure_ascii=False))
    _say(progress, f"{len(outcomes) - len(failed)} of {len(outcomes)} cases passed; the report is in {options.out}")
    for outcome in failed:
        _say(progress, f"FAILED {outcome.group}: {outcome.name}")
    return SOME_FAILED if failed else ALL_PASSED


def _say(stream: TextIO, *lines: str) -> None:
    _show(stream, "".join(f"{line}\n" for line in lines))


def _show(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()
