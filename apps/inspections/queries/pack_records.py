"""The records that a pack shows: purchases as they were received, without token, and what sealed them."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection

from apps.inspections.packs.tables import Table
from apps.kernel.database import Cursor, raw_connection
from apps.merchants.models import TerminalKey
from apps.merchants.queries import terminal_names
from apps.purchases.chain import extended, first_digest
from apps.purchases.following import Follower, Key
from apps.purchases.followups import Thread, read_threads
from apps.purchases.lanes import ANYWHERE, anywhere, lane_of
from apps.purchases.models import TerminalState
from apps.purchases.rulings import OFFICE

OFFICE_CODE: Final = "office"  # no till has this code: they are merchants' own, and this one is reserved by its number
AT_ONCE: Final = 500
LONGEST_CHAIN: Final = 20_000  # records between two seals; a batch has some hundred
RECEIVED: Final = f"""
SELECT k.terminal_id, k.seq, p.line, '' AS code, b.received_at
FROM {ANYWHERE}
JOIN purchases_purchase p ON p.lane = k.lane AND p.terminal_id = k.terminal_id AND p.seq = k.seq
JOIN purchases_batch b ON b.lane = p.lane AND b.id = p.batch_id
UNION ALL
SELECT k.terminal_id, k.seq, convert_from(p.record, 'UTF8'), p.code, p.received_at
FROM {ANYWHERE}
JOIN purchases_rejection p ON p.lane = k.lane AND p.terminal_id = k.terminal_id AND p.seq = k.seq
                          AND p.spends_seq AND p.has_line
"""  # noqa: S608 - its own texts, and so below
SEALED: Final = f"""
SELECT k.terminal_id, k.seq, s.last_seq, s.head, s.signature
FROM {ANYWHERE}
CROSS JOIN LATERAL (SELECT last_seq, head, signature FROM purchases_seal s
                    WHERE s.lane = k.lane AND s.terminal_id = k.terminal_id AND s.last_seq >= k.seq
                    ORDER BY last_seq LIMIT 1) s
"""  # noqa: S608
SEAL_BEFORE: Final = """
SELECT last_seq, head FROM purchases_seal WHERE lane = %s AND terminal_id = %s AND last_seq < %s
ORDER BY last_seq DESC LIMIT 1
"""
LINES: Final = """
SELECT seq, line FROM purchases_purchase WHERE lane = %(lane)s AND terminal_id = %(terminal)s
    AND seq BETWEEN %(first)s AND %(last)s
UNION ALL
SELECT seq, convert_from(record, 'UTF8') FROM purchases_rejection
WHERE lane = %(lane)s AND terminal_id = %(terminal)s AND seq BETWEEN %(first)s AND %(last)s AND spends_seq AND has_line
ORDER BY seq
"""
PURCHASE: Final = ("terminal", "seq", "kind", "at", "received_at", "of", "lines", "code", "line_sha256")
SEAL: Final = ("terminal", "last_seq", "head", "signature", "public_key", "covers", "chain")


class Received(NamedTuple):
    """A record as it came; `line` is its canonical text, with its token."""

    line: str
    code: str
    received_at: datetime


class SealKey(NamedTuple):
    """What names a seal."""

    terminal_id: int
    last_seq: int


@dataclass(slots=True)
class SealSeen:
    """A seal, and the records of the pack that it covers."""

    head: bytes
    signature: bytes
    covers: list[int] = field(default_factory=list)


def threads_of(keys: Collection[Key]) -> dict[Key, Thread]:
    """These sales with all that follows them, as they are."""
    listed, found = sorted(keys), {}
    for at in range(0, len(listed), AT_ONCE):
        with connection.cursor(), Cursor(raw_connection()) as cursor:
            found.update(read_threads(cursor, listed[at : at + AT_ONCE]))
    return found


def received(keys: Collection[Key]) -> dict[Key, Received]:
    """What tills sent under these numbers, refused records too, as far as it has the shape of a record."""
    rows = _rows(RECEIVED, keys)
    return {Key(terminal_id, seq): Received(*rest) for terminal_id, seq, *rest in rows}


def thread_tables(threads: Collection[Thread], codes: Mapping[int, str]) -> tuple[Table, ...]:
    """Sales as they were received, what followed them, what the office ruled, and the seals over all that."""
    followers = [follower for thread in threads for follower in thread.followers]
    keys = {thread.key for thread in threads} | {follower.key for follower in followers}
    return (
        purchases_table({thread.key for thread in threads}, codes),
        followers_table("followups", followers, codes),
        followers_table("rulings", [ruling for thread in threads for ruling in thread.rulings], codes),
        seals_table(keys, codes),
    )


def purchases_table(keys: Collection[Key], codes: Mapping[int, str]) -> Table:
    """Records as tills sent them, without token or claim."""
    found = received(keys)
    rows = [
        (codes[key.terminal_id], key.seq, *told(record.line, record.received_at), record.code, sha256_of(record.line))
        for key, record in sorted(found.items())
    ]
    return Table("records/purchases", PURCHASE, sorted(rows), form="jsonl")


def followers_table(name: str, followers: Iterable[Follower], codes: Mapping[int, str]) -> Table:
    """Returns, voids and corrections, or an office's rulings, under the sale that each is filed under."""
    rows = [
        (
            codes[follower.key.terminal_id], follower.key.seq,
            *told(follower.line, follower.received_at, of=f"{codes[follower.of.terminal_id]}:{follower.of.seq}"),
            follower.code, sha256_of(follower.line),
        )
        for follower in followers
    ]  # fmt: skip
    return Table(f"records/{name}", PURCHASE, sorted(rows, key=itemgetter(0, 1)), form="jsonl")


def seals_table(keys: Collection[Key], codes: Mapping[int, str]) -> Table:
    """The first seal over each record, under which key it holds, and whether the chain below it was recomputed."""
    seals: dict[SealKey, SealSeen] = {}
    for terminal_id, seq, last_seq, head, signature in _rows(SEALED, [key for key in keys if key.terminal_id]):
        seal = seals.setdefault(SealKey(terminal_id, last_seq), SealSeen(bytes(head), bytes(signature)))
        seal.covers.append(seq)
    public_keys = _public_keys({key.terminal_id for key in seals})
    rows = [
        (
            codes[key.terminal_id], key.last_seq, seal.head.hex(), seal.signature.hex(),
            _signer(seal, public_keys[key.terminal_id]), sorted(seal.covers), _chain(key, seal, codes[key.terminal_id]),
        )
        for key, seal in seals.items()
    ]  # fmt: skip
    return Table("records/seals", SEAL, sorted(rows, key=itemgetter(0, 1)), form="jsonl")


def codes_of(terminal_ids: Collection[int]) -> dict[int, str]:
    """The terminals' codes; the office's own records are of none."""
    names = {pk: name.code for pk, name in terminal_names(set(terminal_ids)).items()}
    return {pk: names.get(pk, f"#{pk}") for pk in terminal_ids} | {OFFICE: OFFICE_CODE}


def told(line: str, received_at: datetime, *, of: str | None = None) -> tuple[str, str, str, str, str]:
    """What a line says without its token: kind, at, received_at, of, lines."""
    _, at, kind, _, named, lines = [*line.split("\n"), *[""] * 6][:6]
    return kind, at, moment(received_at), of or named, lines


def moment(at: datetime) -> str:
    """A time as packs write it: in UTC."""
    return at.astimezone(UTC).isoformat()


def sha256_of(line: str) -> str:
    """The hash by which a record is known."""
    return hashlib.sha256(line.encode()).hexdigest()


def _rows(statement: str, keys: Collection[Key]) -> Iterator[tuple[Any, ...]]:
    listed = sorted(keys)
    for at in range(0, len(listed), AT_ONCE):
        with connection.cursor() as cursor:
            cursor.execute(statement, dict[str, Any](anywhere(listed[at : at + AT_ONCE])))
            yield from cursor.fetchall()


def _public_keys(terminal_ids: Collection[int]) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    keys = TerminalKey.objects.filter(terminal_id__in=terminal_ids).order_by("registered_at", "pk")
    for terminal_id, public_key in keys.values_list("terminal_id", "public_key"):
        found[terminal_id].append(bytes(public_key))
    return found


def _signer(seal: SealSeen, keys: Sequence[bytes]) -> str:
    """The key under which a seal's signature holds, in hex; empty when it is none of the terminal's."""
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(seal.signature, seal.head)
        except InvalidSignature:
            continue
        return key.hex()
    return ""


def _chain(key: SealKey, seal: SealSeen, code: str) -> str:
    """Whether the records since the seal before make this seal's head: yes, no, or unknown where one is not there."""
    with connection.cursor() as cursor:
        cursor.execute(SEAL_BEFORE, [lane_of(key.terminal_id), key.terminal_id, key.last_seq])
        before = cursor.fetchone()
        first, digest = (before[0] + 1, bytes(before[1])) if before else (_sealed_from(key), first_digest(code))
        if first is None or key.last_seq - first >= LONGEST_CHAIN:
            return "unknown"
        place = {"lane": lane_of(key.terminal_id), "terminal": key.terminal_id, "first": first, "last": key.last_seq}
        cursor.execute(LINES, place)
        lines = cursor.fetchall()
    if [seq for seq, _ in lines] != list(range(first, key.last_seq + 1)):
        return "unknown"
    for _, line in lines:
        digest = extended(digest, line)
    return "yes" if digest == seal.head else "no"


def _sealed_from(key: SealKey) -> int | None:
    state = TerminalState.objects.filter(lane=lane_of(key.terminal_id), terminal_id=key.terminal_id)
    return state.values_list("sealed_from", flat=True).first()
