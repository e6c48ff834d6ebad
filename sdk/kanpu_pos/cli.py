"""`kanpu-pos`: a till on the command line, and the gateway for tills in other languages."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, TextIO

from kanpu_pos.errors import KanpuPosError
from kanpu_pos.fields import FieldError, Lines, Of
from kanpu_pos.folder import Folder, Settings
from kanpu_pos.gateway import SECRET_HEADER, Gateway, error_json, sold_json, status_json
from kanpu_pos.sending import Sent
from kanpu_pos.till import Till

DEFAULT_PORT: Final = 8701
SOME_REJECTED: Final = 3  # the exit status of `send` when the server refused records for good

Arguments = argparse.Namespace


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 refused, 2 misused, 3 sent but some records rejected."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["conformance"]:
        from kanpu_pos.conformance import main as conformance  # noqa: PLC0415 - a till needs none of it

        return int(conformance(words[1:]))
    arguments = _parser().parse_args(words)
    try:
        status: int = arguments.run(Folder(arguments.till), arguments)
    except KanpuPosError as error:
        text = json.dumps(error_json(error), ensure_ascii=False) if arguments.json else f"kanpu-pos: {error}"
        _print(f"{text}\n", sys.stderr)
        return 1
    return status


def _init(folder: Folder, arguments: Arguments) -> int:
    if not arguments.key:
        raise FieldError("key", "give --key, or set KANPU_POS_KEY, which no list of processes shows")
    folder.set_up(Settings(server=arguments.server, key=arguments.key, terminal=arguments.terminal))
    with folder.till() as till:
        till.refresh()
        return _show(arguments, status_json(till.status()), f"{till.terminal} is ready in {folder.path}")


def _enrol(folder: Folder, arguments: Arguments) -> int:
    with folder.till() as till:
        till.enrol(arguments.code)
        next_seq = till.status().next_seq
        text = f"{till.terminal} seals its records from number {next_seq} on"
        return _show(arguments, {"terminal": till.terminal, "next_seq": next_seq}, text)


def _sell(folder: Folder, arguments: Arguments) -> int:
    with folder.till() as till:
        card = folder.card(arguments.card) if arguments.card else None
        sold = till.sell(_lines(arguments), card=card, claim=arguments.claim, at=arguments.at)
        paper = not sys.stdout.isatty()
        return _show(arguments, sold_json(sold), sold.receipt_text(arguments.lang, paper=paper).rstrip("\n"))


def _return(folder: Folder, arguments: Arguments) -> int:
    with folder.till() as till:
        of = _of(till, arguments.of)
        return _show_seq(arguments, till, till.return_goods(of, _lines(arguments), at=arguments.at))


def _void(folder: Folder, arguments: Arguments) -> int:
    with folder.till() as till:
        return _show_seq(arguments, till, till.void(arguments.seq, at=arguments.at))


def _correct(folder: Folder, arguments: Arguments) -> int:
    with folder.till() as till:
        seq = till.correct(arguments.seq, _lines(arguments), sold_at=arguments.sold_at, at=arguments.at)
        return _show_seq(arguments, till, seq)


def _close(folder: Folder, arguments: Arguments) -> int:
    with folder.till() as till:
        closing = till.close_day(arguments.year, at=arguments.at)
        totals = ", ".join(f"{tier} {amount:,}" for tier, amount in closing.totals) or "nothing"
        return _show(arguments, json.loads(closing.to_json()), f"closing {closing.seq} of {closing.year}: {totals}")


def _status(folder: Folder, arguments: Arguments) -> int:
    with folder.till() as till:
        status = till.status()
        return _show(arguments, status_json(status), _status_text(status_json(status)))


def _send(folder: Folder, arguments: Arguments) -> int:
    with folder.till() as till:
        sent = till.send(_progress if sys.stderr.isatty() else None)
        till.refresh()
        text = f"{sent.count} records sent, {sent.rejected} of them rejected"
        return _show(arguments, {"sent": sent.count, "rejected": sent.rejected}, text) or _sent_status(sent)


def _cards(folder: Folder, arguments: Arguments) -> int:
    cards = folder.test_cards()
    rows = [{"name": test.name, "status": test.expected_status, "code": test.expected_code} for test in cards]
    text = "\n".join(f"{test.name:10} {test.expected_status:10} {test.purpose}" for test in cards)
    return _show(arguments, {"cards": rows}, text)


def _serve(folder: Folder, arguments: Arguments) -> int:
    with folder.till() as till:
        gateway = Gateway(till, secret=folder.gateway_secret(), port=arguments.port, test_card=folder.test_card)
        till.start()
        text = f"{till.terminal} on {gateway.url}; send {SECRET_HEADER}: the text of {folder.path / 'gateway-secret'}"
        _show(arguments, {"url": gateway.url, "terminal": till.terminal}, text)

        def stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's form
            threading.Thread(target=gateway.shutdown).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        gateway.serve_forever()
        gateway.server_close()
    return 0


def _sent_status(sent: Sent) -> int:
    return SOME_REJECTED if sent.rejected else 0


def _show_seq(arguments: Arguments, till: Till, seq: int) -> int:
    return _show(arguments, {"terminal": till.terminal, "seq": seq}, f"recorded as {till.terminal} {seq}")


def _show(arguments: Arguments, value: Mapping[str, object], text: str) -> int:
    """Print a result, for machines or for people; flushed, for it may be waited for."""
    _print(f"{json.dumps(value, ensure_ascii=False) if arguments.json else text}\n")
    return 0


def _status_text(status: Mapping[str, Any]) -> str:
    lines = [
        f"{status['terminal']}, {'sealed' if status['sealed'] else 'not sealed'}, next number {status['next_seq']}",
        f"{status['waiting']} records wait to be sent, {status['rejected_count']} were rejected",
        f"cards can be read until {status['keys_until'] or '(no keys yet: kanpu-pos send fetches them)'}",
        *(f"  {row['seq']}: {row['code']}: {row['message']}" for row in status["rejected"]),
    ]
    return "\n".join(lines)


def _progress(done: int, in_all: int) -> None:
    filled = 40 * done // in_all
    end = "\n" if done == in_all else ""
    _print(f"\r[{'#' * filled}{'.' * (40 - filled)}] {done:,} of {in_all:,}{end}", sys.stderr)


def _print(text: str, stream: TextIO | None = None) -> None:
    print(text, end="", file=stream, flush=True)


def _lines(arguments: Arguments) -> Lines:
    return tuple(_tier(text) for text in arguments.tier)


def _tier(text: str) -> tuple[str, int]:
    tier, _, amount = text.partition("=")
    if not (amount.isascii() and amount.isdecimal()):
        raise FieldError("tier", f"{text!r} is not TIER=AMOUNT, such as reduced=1080")
    return tier, int(amount)


def _of(till: Till, text: str) -> Of:
    """A record as SEQ, of this till, or TERMINAL:SEQ."""
    terminal, _, seq = text.rpartition(":")
    if not (seq.isascii() and seq.isdecimal()):
        raise FieldError("of", f"{text!r} is not SEQ or TERMINAL:SEQ")
    return terminal or till.terminal, int(seq)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kanpu-pos", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = _Adder(commands)
    init = add("init", _init, "set a till up: where it reports, and for which terminal")
    init.add_argument("--server", required=True, metavar="URL")
    init.add_argument("--key", default=os.environ.get("KANPU_POS_KEY"), help="the API key; or set KANPU_POS_KEY")
    init.add_argument("--terminal", required=True, metavar="CODE")
    enrol = add("enrol", _enrol, "give the till a key pair of its own, with a one-time code; also after a broken disk")
    enrol.add_argument("code", metavar="ONE-TIME-CODE")
    _add_recording(add)
    close = add("close", _close, "record the day's closing", timed=True)
    close.add_argument("--year", type=int, help="the tax year, by default this one")
    add("status", _status, "how the till stands")
    add("send", _send, "send what waits, and fetch keys and tiers; exit status 3 when records were rejected")
    add("cards", _cards, "the published test cards")
    serve = add("serve", _serve, "a gateway on this machine for tills in other languages, sending in the background")
    serve.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"by default {DEFAULT_PORT}; 0 takes a free one")
    commands.add_parser("conformance", help="check an implementation of the protocol")
    return parser


def _add_recording(add: "_Adder") -> None:
    sell = add("sell", _sell, "record a sale and print its receipt", timed=True, lines=True)
    sell.add_argument("--card", metavar="NAME|FILE", help="a test card by name, or a JSON file of a card")
    sell.add_argument("--claim", action="store_true", help="without a card: print a code to claim the sale with")
    sell.add_argument("--lang", choices=("ja", "en"), default="ja", help="the receipt's language")
    back = add("return", _return, "record goods that came back", timed=True, lines=True)
    back.add_argument("of", metavar="[TERMINAL:]SEQ", help="their sale")
    void = add("void", _void, "take what is left of a sale or return of this till", timed=True)
    void.add_argument("seq", type=int)
    correct = add("correct", _correct, "give all lines of a sale or return as they should be", timed=True, lines=True)
    correct.add_argument("seq", type=int)
    correct.add_argument("--sold-at", metavar="TIME", help="mends a wrong clock")


class _Adder:
    """Adds commands that share their options."""

    def __init__(self, commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
        self._commands = commands

    def __call__(
        self,
        name: str,
        run: Callable[[Folder, Arguments], int],
        help_text: str,
        *,
        timed: bool = False,
        lines: bool = False,
    ) -> argparse.ArgumentParser:
        command = self._commands.add_parser(name, help=help_text, description=help_text)
        folder = os.environ.get("KANPU_POS_TILL", "./kanpu-till")
        command.add_argument("--till", type=Path, default=Path(folder), metavar="DIR", help=f"by default {folder}")
        command.add_argument("--json", action="store_true", help="the result as JSON")
        if timed:
            command.add_argument("--at", metavar="TIME", help="RFC 3339, by default now")
        if lines:
            command.add_argument("--tier", action="append", required=True, metavar="TIER=AMOUNT", help="one per tier")
        command.set_defaults(run=run)
        return command


if __name__ == "__main__":
    sys.exit(main())
