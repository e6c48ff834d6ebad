"""Who belongs to which household, once the whole file has been read: stays end and begin by months.

Who belonged nowhere arrives with one statement for many. Who belonged elsewhere moves: old stays end first, then new
ones begin. What the database refuses (a second head, say) waits until all others have moved, and is reported if it is
refused again.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

import psycopg
from django.db import IntegrityError, connection, transaction
from psycopg.types.range import DateRange

from apps.residents.operations.importing.changing import add_events
from apps.residents.operations.importing.job import (
    Cursor,
    Job,
    Report,
    copy_rows,
    durable_at_the_end,
    lock_register,
    raw_cursor,
)
from apps.residents.operations.importing.payees import set_payees
from apps.residents.operations.importing.staging import Staged
from apps.residents.register.changes import Dated
from apps.residents.register.rows import Defect

SLICE: Final = 50_000
TOGETHER: Final = 500
MEMBERSHIP: Final = {
    "resident_id": "uuid", "household_ref": "uuid", "valid": "daterange", "is_head": "bool", "payee_id": "uuid"
}  # fmt: skip
NO_HEAD: Final = "household_without_head"  # a warning
BEHIND: Final = 2  # batches
HEADS: Final = """
DROP TABLE IF EXISTS heads;
CREATE TEMP TABLE heads AS
SELECT DISTINCT ON (household_ref) household_ref, ref, NOT is_child AS is_adult FROM staged
WHERE is_head AND household_ref IS NOT NULL ORDER BY household_ref, until DESC NULLS FIRST, line;
ALTER TABLE heads ADD PRIMARY KEY (household_ref);
ANALYZE staged;
ANALYZE heads
"""
# A head who follows one who has left is head from that month on, and a member before. One who has left and comes to be
# known after the other was a member: how it was before the register was first read is not known.
STAYS: Final = """
coming AS MATERIALIZED (
    SELECT a.*, h.is_shared, CASE WHEN NOT h.is_led THEN h.free END AS free
    FROM asked a CROSS JOIN LATERAL (
        SELECT count(*) > 0 AS is_shared, bool_or(upper_inf(m.valid)) AS is_led, max(upper(m.valid)) AS free
        FROM residents_membership m
        WHERE a.is_head AND m.is_head AND m.household_ref = a.household_ref AND m.valid && daterange(a.start, a.until)
    ) h)
INSERT INTO residents_membership (resident_id, household_ref, valid, is_head, payee_id)
SELECT ref, household_ref, daterange(start, free), false, payee FROM coming WHERE until IS NULL AND start < free
UNION ALL
SELECT ref, household_ref, daterange(CASE WHEN until IS NULL THEN greatest(start, free) ELSE start END, until),
       is_head AND (until IS NULL OR NOT is_shared), payee
FROM coming WHERE until IS NULL OR start < until
"""
# Who belonged nowhere since they arrived.
NOWHERE: Final = """
DROP TABLE IF EXISTS nowhere;
CREATE TEMP TABLE nowhere AS
SELECT s.line, s.ref, s.household_ref, s.is_head, s.arrived AS start, s.until, h.ref AS payee FROM staged s
LEFT JOIN heads h ON h.household_ref = s.household_ref AND h.is_adult AND s.is_child AND h.ref <> s.ref
WHERE s.household_ref IS NOT NULL AND NOT EXISTS (
    SELECT FROM residents_membership m
    WHERE m.resident_id = s.ref AND CASE
        WHEN s.is_new THEN upper(m.valid) IS NOT DISTINCT FROM s.until
        ELSE upper_inf(m.valid) OR upper(m.valid) > s.arrived END);
ALTER TABLE nowhere ADD PRIMARY KEY (line)
"""
ARRIVE: Final = f"""
WITH asked AS (
    SELECT ref, household_ref, is_head, start, until, payee FROM nowhere WHERE line > %(after)s AND line <= %(upto)s
    ORDER BY household_ref, line), {STAYS} ON CONFLICT DO NOTHING
"""
MOVING: Final = """
DROP TABLE IF EXISTS moving;
CREATE TEMP TABLE moving AS
SELECT s.line, s.ref, s.household_ref, s.is_head, greatest(s.since, s.arrived) AS start, s.until, s.event, s.event_date,
       m.household_ref AS last_household, m.is_head AS last_is_head, lower(m.valid) AS last_start,
       upper(m.valid) AS last_end, m.payee_id
FROM staged s CROSS JOIN LATERAL (
    SELECT * FROM residents_membership WHERE resident_id = s.ref ORDER BY valid DESC LIMIT 1) m
WHERE NOT s.is_new AND (upper_inf(m.valid) OR upper(m.valid) > s.arrived) AND (
    upper(m.valid) IS DISTINCT FROM s.until AND (s.household_ref IS NOT NULL OR s.until IS NOT NULL)
    OR (m.household_ref, m.is_head) <> (s.household_ref, s.is_head));
ALTER TABLE moving ADD PRIMARY KEY (line)
"""
LEAVE: Final = """
WITH gone AS (
    DELETE FROM residents_membership m USING unnest(%(refs)b::uuid[], %(starts)b::date[]) AS n (ref, start)
    WHERE m.resident_id = n.ref AND lower(m.valid) >= n.start)
UPDATE residents_membership m SET valid = daterange(lower(m.valid), n.start)
FROM unnest(%(refs)b::uuid[], %(starts)b::date[]) AS n (ref, start)
WHERE m.resident_id = n.ref AND lower(m.valid) < n.start AND m.valid @> n.start
"""
STAY: Final = f"""
WITH asked (ref, household_ref, is_head, start, until, payee) AS (
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bool[], %s::date[], %s::date[], %s::uuid[])), {STAYS}
"""
# Households that somebody entered or whose head left, where somebody lives and nobody is head.
HEADLESS: Final = """
SELECT min(line), t.household_ref FROM (
    SELECT line, household_ref FROM staged WHERE is_new AND until IS NULL AND household_ref IS NOT NULL
    UNION ALL SELECT line, last_household FROM moving WHERE last_is_head) t
WHERE EXISTS (SELECT FROM residents_membership m WHERE m.household_ref = t.household_ref AND upper_inf(m.valid))
GROUP BY t.household_ref
HAVING NOT EXISTS (SELECT FROM residents_membership m
                   WHERE m.household_ref = t.household_ref AND m.is_head AND upper_inf(m.valid))
ORDER BY 1
"""


class Stay(NamedTuple):
    """Where somebody belongs from a month on, up to before `until`: it takes the place of what was known from then."""

    ref: UUID
    household_ref: UUID
    is_head: bool
    start: date
    until: date | None
    payee_ref: UUID | None


class Move(NamedTuple):
    """A row of `moving`: what the file says of a resident who belongs somewhere, and where that is."""

    line: int
    ref: UUID
    household_ref: UUID | None
    is_head: bool
    start: date
    until: date | None
    event: str | None
    event_date: date
    last_household: UUID
    last_is_head: bool
    last_start: date
    last_end: date | None
    payee_ref: UUID | None

    @property
    def is_elsewhere(self) -> bool:
        """Whether they belong to another household from now on, or are head of it, or no longer."""
        differs = (self.household_ref, self.is_head) != (self.last_household, self.last_is_head)
        return self.household_ref is not None and differs and (self.until is None or self.start < self.until)

    def stay(self) -> Stay:
        """What is to be written: another stay, or the last one with another end."""
        if self.is_elsewhere and self.household_ref:
            return Stay(self.ref, self.household_ref, self.is_head, self.start, self.until, None)
        return Stay(
            self.ref, self.last_household, self.last_is_head, self.last_start, self.until, self.payee_ref
        )  # fmt: skip

    @property
    def changes_nothing(self) -> bool:
        """Whether the row names another household for a time that is over before it could count."""
        return not self.is_elsewhere and self.until == self.last_end


def _nothing(_line: int) -> None:
    """For who does not want to hear how far it is."""


@contextmanager
def placing_beside(report: Report) -> Iterator[Callable[[Sequence[Staged]], None]]:
    """Gives a function that has new residents, once committed, placed in their households on a connection of its own.

    That goes on beside the reading of the file. Whom it leaves out, `settle_households` sees to.
    """
    under_way: deque[Future[int]] = deque()

    def place(rows: Sequence[Staged]) -> None:
        under_way.append(worker.submit(_place, rows))
        while len(under_way) > BEHIND:
            report.homes += under_way.popleft().result()

    with ThreadPoolExecutor(1) as worker:
        try:
            yield place
        finally:
            worker.submit(_leave)
    report.homes += sum(each.result() for each in under_way)


def _leave() -> None:
    connection.close()  # the thread's own


def _place(rows: Sequence[Staged]) -> int:
    heads = {row.household_ref: row.ref for row in rows if row.is_head and not row.is_child and row.until is None}
    stays = [
        Stay(row.ref, row.household_ref, row.is_head, row.arrived, row.until, _payee(row, heads))
        for row in rows
        if row.household_ref
    ]
    if not stays:
        return 0
    with durable_at_the_end(), raw_cursor() as cursor:
        try:
            copy_rows(cursor, "residents_membership", MEMBERSHIP, map(_membership, stays))
        except psycopg.errors.ExclusionViolation:  # heads follow each other, say; so with more thought
            cursor.execute(f"{STAY} ON CONFLICT DO NOTHING", [list(column) for column in zip(*stays, strict=True)])
        return cursor.rowcount


def _membership(stay: Stay) -> tuple[object, ...]:
    return stay.ref, stay.household_ref, DateRange(stay.start, stay.until), stay.is_head, stay.payee_ref


def _payee(row: Staged, heads: Mapping[UUID | None, UUID]) -> UUID | None:
    return heads.get(row.household_ref) if row.is_child and not row.is_head else None


def settle_households(job: Job, report: Report, seen: Callable[[int], object] = _nothing) -> None:
    """Bring all households up to what the file says. `seen` hears of the file's lines."""
    with connection.wrap_database_errors, raw_cursor() as cursor:
        cursor.execute(HEADS)
        _arrive(cursor, report, seen)
        cursor.execute(MOVING)
        refused = _move(cursor, job, report)
        _arrive(cursor, report)
        cursor.execute(NOWHERE)
        refused += [line for (line,) in cursor.execute("SELECT line FROM nowhere")]
        report.reject(_second_head(line) for line in sorted(refused))
        with transaction.atomic():
            lock_register(cursor)
            set_payees(cursor, job)
        report.warn(_headless(line) for line, _ in cursor.execute(HEADLESS).fetchall())


def _arrive(cursor: Cursor, report: Report, seen: Callable[[int], object] = _nothing) -> None:
    cursor.execute(NOWHERE)
    [(last,)] = cursor.execute("SELECT coalesce(max(line), 0) FROM nowhere").fetchall()
    for after in range(0, last, SLICE):
        with transaction.atomic():
            lock_register(cursor)
            cursor.execute(ARRIVE, {"after": after, "upto": after + SLICE})
            report.homes += cursor.rowcount
        seen(min(after + SLICE, last))


def _move(cursor: Cursor, job: Job, report: Report) -> list[int]:
    """Move all who move; the lines of those whom the database refuses again and again."""
    after, refused = 0, list[Move]()
    while moves := _moves(cursor, after):
        after = moves[-1].line
        real = [move for move in moves if not move.changes_nothing]
        refused += _settled(cursor, job, real)
        report.homes += len(real)
    before = len(refused) + 1
    while refused and len(refused) < before:
        before, refused = len(refused), _settled(cursor, job, refused)
    report.homes -= len(refused)
    return [move.line for move in refused]


def _moves(cursor: Cursor, after: int) -> list[Move]:
    cursor.execute("SELECT * FROM moving WHERE line > %s ORDER BY line LIMIT %s", [after, TOGETHER])
    return [Move(*row) for row in cursor.fetchall()]


def _settled(cursor: Cursor, job: Job, moves: Sequence[Move]) -> list[Move]:
    """Write moves, or as many as the database takes; those that it refuses."""
    if not moves:
        return []
    try:
        with transaction.atomic(), connection.wrap_database_errors:
            _write(cursor, job, moves)
    except IntegrityError:
        if len(moves) == 1:
            return list(moves)
        middle = len(moves) // 2
        return _settled(cursor, job, moves[:middle]) + _settled(cursor, job, moves[middle:])
    return []


def _write(cursor: Cursor, job: Job, moves: Sequence[Move]) -> None:
    lock_register(cursor)
    stays = [move.stay() for move in moves]
    cursor.execute(LEAVE, {"refs": [stay.ref for stay in stays], "starts": [stay.start for stay in stays]})
    cursor.execute(STAY, [list(column) for column in zip(*stays, strict=True)])
    elsewhere = [move for move in moves if move.is_elsewhere]
    kinds = [(move, kind) for move in elsewhere for kind in sorted({"household", move.event or "household"})]
    add_events(cursor, job, [(move.ref, Dated(kind, move.event_date)) for move, kind in kinds])


def _second_head(line: int) -> Defect:
    reason = "the household has another head: it was left as it was, all else of the row was taken; correct the head"
    return Defect(line, "head", "second_head", reason)


def _headless(line: int) -> Defect:
    return Defect(line, "household", NO_HEAD, "people live in this household and nobody is its head")
