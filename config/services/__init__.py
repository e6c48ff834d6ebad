"""PostgreSQL and Redis for development, demo and tests, shared by all processes of one checkout.

``ensure()`` starts the two servers that pip installed, or joins those that another process of this
checkout already started, and puts their addresses into ``DATABASE_URL`` and ``REDIS_URL``.  A variable
that is already set is respected: that server is somebody else's and is left alone.

The last process to leave stops the servers.  ``python -m config.services --help`` is the command line.
"""

import atexit
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from config.services.places import ServiceError, find_home
from config.services.sharing import Hold

__all__ = ["ROOT", "Addresses", "ServiceError", "ensure", "running", "stop_on_sigterm"]

ROOT = Path(__file__).resolve().parents[2]


class Addresses(NamedTuple):
    """Where the two servers answer; the URLs contain the passwords."""

    database_url: str
    redis_url: str


@contextmanager
def running(root: Path = ROOT) -> Iterator[Addresses]:
    """Keep the servers of the checkout ``root`` running for the length of a ``with`` block.

    The variables this sets in ``os.environ`` are removed again at the end of the block.

    Raises ServiceError when a server cannot be started, joined or, at the end, stopped.
    """
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        yield _addresses()
        return
    hold = Hold(find_home(root), left_alone=[name for name, value in os.environ.items() if value])
    os.environ.update(hold.addresses)
    try:
        yield _addresses()
    finally:
        for variable in hold.addresses:
            os.environ.pop(variable, None)
        hold.release()


def ensure(root: Path = ROOT) -> Addresses:
    """Like ``running``, until this process ends; calling it again is harmless.

    Raises ServiceError when a server cannot be started or joined.  Trouble with stopping at the end of
    the process is reported on standard error.
    """
    owner = os.getpid()
    context = running(root)
    addresses = context.__enter__()

    def leave() -> None:
        if os.getpid() != owner:  # a forked child: the servers are its parent's business
            return
        try:
            context.__exit__(None, None, None)
        except ServiceError as error:
            print(error, file=sys.stderr)

    atexit.register(leave)
    return addresses


def stop_on_sigterm() -> None:
    """Make SIGTERM end this process like ``sys.exit(143)``, so that the servers are released.

    For programs that install no handler themselves; call it in the main thread.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def _addresses() -> Addresses:
    return Addresses(os.environ["DATABASE_URL"], os.environ["REDIS_URL"])
