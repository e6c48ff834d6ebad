"""Statements that go to the server together: what comes back, and what one that fails leaves behind."""

import signal
from datetime import UTC, datetime, timedelta
from threading import Thread, Timer, get_ident
from time import monotonic, sleep

import pytest
from django.db import DataError, OperationalError, connection, transaction
from django.db.models import TextField
from django.test.utils import CaptureQueriesContext
from psycopg.pq import TransactionStatus

from apps.audit.models import Alarm
from apps.kernel.arrays import numbers_or_null_array, times_array
from apps.kernel.database import Ask, Place, Statement, from_rows, raw_connection, sql_of, trip

pytestmark = pytest.mark.django_db(transaction=True)

ADD = Statement("SELECT $1::int8 + $2::int8")
DIVIDE = Statement("SELECT 1 / $1::int8")
ALARM = Statement(
    "INSERT INTO audit_alarm (kind, key, detail, raised_at) VALUES ('test', $1, '{}', now()) RETURNING key"
)
NUMBERS = Statement("SELECT unnest($1::int4[])")
TIMES = Statement("SELECT unnest($1::timestamptz[])")
SLEEP = Statement("SELECT pg_sleep($1::float8)")


def in_transaction() -> str:
    return TransactionStatus(raw_connection().pgconn.transaction_status).name


def test_each_statement_has_its_own_rows_in_the_order_asked() -> None:
    noon = datetime(2017, 8, 3, 12, 0, 0, 250_000, tzinfo=UTC)
    times = [noon, noon - timedelta(days=20 * 365), noon + timedelta(microseconds=1)]
    for _ in range(2):  # prepared, and known already
        assert trip(
            Ask(ADD, [40, 2]), Ask(NUMBERS, [numbers_or_null_array([3, None])]), Ask(TIMES, [times_array(times)])
        ) == [[(42,)], [(3,), (None,)], [(time,) for time in times]]
    assert trip() == []


def test_who_counts_queries_sees_each_statement_with_its_values() -> None:
    with CaptureQueriesContext(connection) as seen:
        trip(Ask(ADD, [40, 2]), Ask(ALARM, ["it's"]))
    assert [query["sql"] for query in seen] == [
        "SELECT '40'::int8 + '2'::int8", ALARM.text.decode().replace("$1", "'it''s'"),
    ]  # fmt: skip


def test_a_query_becomes_a_statement_with_places_for_values() -> None:
    Alarm.objects.create(kind="100% new", key="a", detail={"n": 1}, raised_at=datetime(2017, 8, 3, tzinfo=UTC))
    found = Alarm.objects.filter(kind="100% new", key=Place(1, TextField()))
    asked = Statement(sql_of(found))
    assert [from_rows(Alarm, rows) for (rows,) in (trip(Ask(asked, [key])) for key in ("a", "b"))] == [
        [Alarm.objects.get()], [],
    ]  # fmt: skip
    assert from_rows(Alarm, trip(Ask(asked, ["a"]))[0])[0].detail == {"n": 1}


def test_what_comes_after_a_statement_that_failed_is_not_made_and_the_connection_is_good() -> None:
    with pytest.raises(DataError, match="division by zero"):
        trip(Ask(ALARM, ["before"]), Ask(DIVIDE, [0]), Ask(ALARM, ["after"]))
    assert not Alarm.objects.exists()
    assert trip(Ask(DIVIDE, [1]), Ask(ALARM, ["again"])) == [[(1,)], [("again",)]]
    assert in_transaction() == "IDLE"


@transaction.atomic
def _begin_and_fail() -> None:
    trip(Ask(ALARM, ["first"]))
    assert in_transaction() == "INTRANS"
    assert Alarm.objects.get().key == "first"
    trip(Ask(DIVIDE, [0]))


def test_inside_a_transaction_they_share_it_with_all_else() -> None:
    with pytest.raises(DataError):
        _begin_and_fail()
    assert not Alarm.objects.exists()
    with transaction.atomic():
        Alarm.objects.create(kind="test", key="by Django", detail={}, raised_at=datetime.now(UTC))
        trip(Ask(ALARM, ["by a trip"]))
    assert set(Alarm.objects.values_list("key", flat=True)) == {"by Django", "by a trip"}


def test_a_connection_that_ends_on_the_way_says_so_and_the_next_trip_has_another() -> None:
    own = raw_connection().info.backend_pid

    def end() -> None:
        sleep(0.3)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [own])
        connection.close()

    other = Thread(target=end)
    other.start()
    with pytest.raises(OperationalError):
        trip(Ask(SLEEP, [20]))
    other.join()
    connection.close_if_unusable_or_obsolete()
    assert trip(Ask(ADD, [1, 1])) == [[(2,)]]


def test_a_trip_that_is_interrupted_leaves_no_answers_to_the_next() -> None:
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    other = Timer(0.3, signal.pthread_kill, [get_ident(), signal.SIGUSR1])
    other.start()
    with pytest.raises(KeyboardInterrupt):
        trip(Ask(ADD, [40, 2]), Ask(SLEEP, [20]))
    signal.signal(signal.SIGUSR1, before)
    connection.close_if_unusable_or_obsolete()
    assert trip(Ask(ADD, [1, 1])) == [[(2,)]]


def test_other_threads_run_while_the_server_is_at_work() -> None:
    def wait() -> None:
        trip(Ask(SLEEP, ["0.5"]))
        connection.close()

    started_s, counted = monotonic(), 0
    thread = Thread(target=wait)
    thread.start()
    while monotonic() - started_s < 0.3:
        counted += 1
        sleep(0.001)
    assert counted > 20
    thread.join()
