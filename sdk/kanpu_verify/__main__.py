"""`python -m kanpu_verify FILE …`: says what holds of refund statements and evidence packs, and needs no network."""

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kanpu_verify import pack_checks, pack_words, words
from kanpu_verify.checks import Finding, findings
from kanpu_verify.frame import FrameBroken
from kanpu_verify.pack import open_pack
from kanpu_verify.statement import Unusable, read

HOLDS: Final = 0
FAILS: Final = 1
UNUSABLE: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Check files and return the exit status: 0 all holds, 1 something does not, 2 a file that cannot be checked."""
    arguments = _parser().parse_args(argv)
    return max(_checked(Path(name), arguments.root, arguments.lang) for name in arguments.files)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("kanpu_verify", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a statement as JSON, or an evidence pack")
    parser.add_argument("--root", type=_root, metavar="HEX", help="the published root: 64 hexadecimal digits")
    own = "ja" if os.environ.get("LANG", "").startswith("ja") else "en"
    parser.add_argument("--lang", choices=words.LANGUAGES, default=own, help="English or Japanese; else as LANG says")
    return parser


def _root(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError("a root is 64 hexadecimal digits, as published with the run")
    return bytes.fromhex(text)


def _checked(path: Path, root: bytes | None, lang: str) -> int:
    is_pack = path.suffix == ".zip"
    try:
        found = _pack_findings(path, root) if is_pack else findings(read(_data(path)), root)
    except Unusable as error:
        needs, said = words.NEEDS[lang][error.needs], words.UNUSABLE_PACK if is_pack else words.UNUSABLE
        sys.stderr.write(said[lang].format(file=path, place=error.place, needs=needs) + "\n")
        return UNUSABLE
    except FrameBroken as error:
        sys.stdout.write(words.FRAME[lang].format(file=path, place=error.place) + pack_words.ANEW[lang] + "\n")
        return FAILS
    holds = all(finding.holds is not False for finding in found)
    has_root = root or not any(finding.name == "root_to_compare" for finding in found)
    said = (words.HOLDS if has_root else words.HOLDS_UNDER_ITS_ROOT) if holds else words.FAILS
    rows = [said[lang].format(file=path), *(_text(finding, lang) for finding in found)]
    sys.stdout.write("\n".join(rows) + "\n")
    return HOLDS if holds else FAILS


def _pack_findings(path: Path, root: bytes | None) -> list[Finding]:
    try:
        with path.open("rb") as file:
            return pack_checks.findings(open_pack(file), root)
    except OSError:
        raise Unusable("-", "file") from None


def _data(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise Unusable("-", "file") from None


def _text(finding: Finding, lang: str) -> str:
    said = words.FINDINGS[lang][finding.name]
    mark = words.MARKS[lang][finding.holds]
    if finding.holds is not False:
        return f"  {mark} {said.holds.format_map(finding.values)}"
    remedy = words.TODO[lang].format(remedy=said.remedy.format_map(finding.values))
    return f"  {mark} {said.fails.format_map(finding.values)} {remedy}"


def _never_stop_at_a_character() -> None:
    """Let a terminal that cannot show a character show its code instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    _never_stop_at_a_character()
    sys.exit(main())
