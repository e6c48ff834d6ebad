"""What is written by hand for PostgreSQL says to it what psycopg's own writing says."""

from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.arrays import (
    bigint_array,
    bytes_array,
    numbers_array,
    quoted_array,
    smallint_array,
    text_array,
    uuids_array,
)
from apps.purchases.ranges import ranges_text, read_ranges, to_ranges

pytestmark = pytest.mark.django_db
bigints = st.integers(-(2**63), 2**63 - 1)
smallints = st.integers(-(2**15), 2**15 - 1)
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", max_size=32)


def read_as(kind: str, array: str) -> list[object]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{kind}[]", [array])
        return list(cursor.fetchone()[0])


@given(st.lists(bigints), st.lists(words), st.lists(st.uuids()), st.lists(st.binary(max_size=32)))
def test_postgresql_reads_the_values_that_were_written(
    numbers: list[int], texts: list[str], uuids: list[UUID], values: list[bytes]
) -> None:
    assert read_as("int8", numbers_array(numbers)) == numbers
    assert read_as("text", quoted_array(texts)) == texts
    assert read_as("uuid", uuids_array([uuid.int for uuid in uuids])) == uuids
    assert [bytes(value) for value in read_as("bytea", bytes_array(values))] == values  # type: ignore[call-overload]


@given(st.lists(words), st.lists(bigints), st.lists(smallints))
def test_the_binary_forms_are_postgresqls_own(texts: list[str], bigs: list[int], smalls: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_send(%s::text[]), array_send(%s::int8[]), array_send(%s::int2[])", [texts, bigs, smalls]
        )
        sent = [bytes(form) for form in cursor.fetchone()]
    assert sent == [text_array(texts), bigint_array(bigs), smallint_array(smalls)]


@given(st.sets(st.integers(0, 2**32 - 1) | st.integers(0, 20)))
def test_a_multirange_goes_to_postgresql_and_comes_back(numbers: set[int]) -> None:
    ranges = to_ranges(numbers)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::int8multirange::text", [ranges_text(ranges)])
        (text,) = cursor.fetchone()
    assert read_ranges(text) == ranges
