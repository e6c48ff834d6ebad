"""A till that is killed again and again while it sells and sends: nothing is lost, doubled or left out."""

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kanpu_pos import Client, line
from kanpu_pos.store import Store

from apps.accruals.operations.counting import count_all
from apps.merchants.models import Terminal
from apps.purchases.lanes import lane_of
from apps.purchases.models import Outcome, Purchase, TerminalState
from tests.world import TEST_TERMINAL, World

from .selling import KEY

SALES = 600
LIVES_AT_LEAST = 5
ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.django_db(transaction=True)


class Mortal:
    """A till's process that dies at a random moment, and what it had shown until then."""

    def __init__(self, arguments: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("selling.py"), *arguments],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT / "sdk")},
        )

    def live(self, seconds: float) -> list[str]:
        """Let it sell for so long, kill it unless it is done, and return the lines that it has written whole."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        os.set_blocking(self._process.stdout.fileno(), False)
        written, end_s = b"", time.monotonic() + seconds
        while time.monotonic() < end_s and self._process.poll() is None:
            select.select([self._process.stdout], [], [], 0.01)
            written += self._process.stdout.read() or b""
        self._process.send_signal(signal.SIGKILL)
        assert self._process.wait() in (0, -signal.SIGKILL)  # it died of nothing else
        written += self._process.stdout.read() or b""
        self._process.stdout.close()
        return written.decode().split("\n")[:-1]


def test_a_till_killed_at_any_moment_loses_nothing_and_doubles_nothing(world: World, web: str, tmp_path: Path) -> None:
    terminal = Terminal.objects.get(code=TEST_TERMINAL)
    Terminal.objects.filter(pk=terminal.pk).update(public_key=KEY.public_key().public_bytes_raw())
    card, path = world.cards[world.test_resident], tmp_path / "till.db"
    arguments = [str(path), TEST_TERMINAL, web, world.test_key, card.card_id.hex(), card.card_key.hex(), str(SALES)]
    shown: list[str] = []
    lives = 0
    while shown[-1:] != ["done"]:
        lives += 1
        assert lives < 60
        shown += Mortal(arguments).live(random.uniform(0.05, 0.6) if lives < 25 else 60.0)
    assert lives >= LIVES_AT_LEAST
    receipts = {int(row.split()[0]): int(row.split()[1]) for row in shown[:-1]}
    assert len(receipts) == len(shown) - 1  # no number was shown twice
    _assert_both_have_the_same(path, terminal, receipts)
    _assert_it_counts(world, web, terminal)


def _assert_both_have_the_same(path: Path, terminal: Terminal, receipts: dict[int, int]) -> None:
    store = Store(path)
    last_seq = store.next_seq() - 1
    till_lines = {seq: row and line(row.record) for seq in range(1, last_seq + 1) for row in [store.row(seq)]}
    of_terminal = {"lane": lane_of(terminal.pk), "terminal_id": terminal.pk}
    assert dict(Purchase.objects.filter(**of_terminal).values_list("seq", "line")) == till_lines
    state = TerminalState.objects.get(**of_terminal)
    assert [(known.lower, known.upper) for known in state.received] == [(1, last_seq + 1)]
    assert bytes(state.head or b"") == store.digest_before(last_seq + 1)
    kinds = [(text or "").split("\n")[2] for text in till_lines.values()]
    assert kinds.count("sale") == SALES
    assert set(kinds) <= {"sale", "unused", "closing"}
    for seq, amount in receipts.items():
        assert (till_lines[seq] or "").endswith(f"\nreduced={amount}")
    store.close()


def _assert_it_counts(world: World, web: str, terminal: Terminal) -> None:
    """Every card was read once, and the closing agrees with what the server has."""
    while count_all():
        pass
    assert not Outcome.objects.filter(terminal_id=terminal.pk, status__in=("held", "rejected")).exists()
    with Client(web, world.test_key, timeout_s=10) as client:
        seen = client.terminal(TEST_TERMINAL)
    assert (seen.closing_agrees, seen.missing, seen.sealed) == (True, (), True)
