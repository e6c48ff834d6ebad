"""A resident's pages read what they show: what others bought, and how many others there are, costs them nothing."""

import json
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accruals.queries import entries_of_resident
from apps.residents.models import Membership, Message, Resident
from tests.pages import YEAR, buy, resident

pytestmark = pytest.mark.django_db
PAGES = (
    "/", f"/year/{YEAR}", "/purchases", f"/purchases?first={YEAR}-01-01&last={YEAR}-12-31&page=2&least=1&tier=reduced",
    "/purchases?first=&shop=shibuya", "/held", "/cards", "/choices", "/accesses", "/decisions",
    "/messages", "/statements", "/messages/e-mail",
)  # fmt: skip
A_LEVEL_DEEPER = 20  # blocks: an index that grows has more levels, and a page looks into a dozen
# 500 others, each with what the reader has: a home, a child, a card that was lost, purchases counted and held.
OTHERS = """
INSERT INTO residents_resident (ref, mode, resident_from, municipality, language, is_protected)
SELECT md5(n::text)::uuid, 'live', '2010-04-01', '', 'ja', false FROM generate_series(1, 500) n;
INSERT INTO residents_membership (resident_id, household_ref, valid, is_head, payee_id)
SELECT md5(n::text)::uuid, md5('home' || n / 2)::uuid, '[2010-04-01,)', n % 2 = 0, md5((n / 2)::text)::uuid
FROM generate_series(2, 500) n;
INSERT INTO residents_recordingpause (resident_id, valid)
SELECT md5(n::text)::uuid, '[2017-04-01,2017-05-01)' FROM generate_series(1, 500) n;
INSERT INTO residents_card (id, card_index, index_version, resident_id, issuer_version, valid_from, valid_until)
SELECT 1000 + n, decode(md5(n::text), 'hex'), 1, md5(n::text)::uuid, 1, '2016-01-01', '2099-01-01'
FROM generate_series(1, 500) n;
INSERT INTO residents_cardsuspension (card_id, valid, channel, reported_at, reported_by, lifted_by)
SELECT 1000 + n, '[2017-04-01,)', 'window', '2017-04-01', 'test', '' FROM generate_series(1, 500) n;
INSERT INTO accruals_entry (resident_ref, tax_year, terminal_id, seq, run, part, month, at, tiers, amounts_minor)
SELECT md5(n::text)::uuid, 2017, i, n, 1, 1, 3, timestamptz '2017-03-01' + i * interval '1 hour', '{reduced}', '{100}'
FROM generate_series(1, 500) n, generate_series(1, 20) i;
INSERT INTO accruals_total (resident_ref, tax_year, run, tier, amounts_minor, purchases)
SELECT md5(n::text)::uuid, 2017, 1, 'reduced', array_fill(2000, '{12}'), array_fill(20, '{12}')
FROM generate_series(1, 500) n;
INSERT INTO accruals_withheld (resident_ref, terminal_id, seq, tax_year, at, status, code, decided_at)
SELECT md5(n::text)::uuid, 1, n, 2017, '2017-04-01', 'held', 'card_suspended', '2017-04-01'
FROM generate_series(1, 500) n;
INSERT INTO refunds_decision (resident_ref, tax_year, run, kind, amount_minor, reason, state, decided_at,
                              appeal_reason, outcome)
SELECT md5(n::text)::uuid, 2017, 1, 'refused', 1, '', 'issued', '2018-04-01', '', '' FROM generate_series(1, 500) n;
INSERT INTO residents_message (resident_ref, kind, detail, at)
SELECT md5(n::text)::uuid, 'card_resumed', '{}', '2018-04-01' FROM generate_series(1, 500) n, generate_series(1, 20);
INSERT INTO audit_accessrecord (at, actor, role, office, resident_ref, what, purpose, "case", origin)
SELECT '2017-04-01', 'user:ann', 'auditor', '', md5(n::text)::uuid, 'year', 'check', '', ''
FROM generate_series(1, 500) n
"""


def read_for(client: Client, path: str) -> tuple[int, int]:
    """How many rows and blocks the page's queries look at, by their plans; rows that are thrown away included."""
    client.get(path)  # the process knows the schemes
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code in (200, 302)
    rows = blocks = 0
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SET LOCAL enable_seqscan = off")  # tables are small here: where there is an index, it is taken
        for query in captured.captured_queries:
            if query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) {query['sql']}")
                plan = (cursor.fetchone() or ([],))[0][0]["Plan"]
                rows += rows_in(plan)
                blocks += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        cursor.execute("SET LOCAL enable_seqscan = on")
    return rows, blocks


def rows_in(node: dict[str, Any]) -> int:
    """The rows that a plan's scans of tables look at."""
    below: int = sum(rows_in(child) for child in node.get("Plans", []))
    if "Relation Name" not in node:
        return below
    thrown_away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    looked_at: float = (node["Actual Rows"] + thrown_away) * node["Actual Loops"]
    return below + round(looked_at)


@pytest.fixture
def reader(client: Client, terminal: int) -> Client:
    """Somebody with a home and 60 purchases, who is signed in."""
    ref = resident("hanako")
    Resident.objects.create(ref=ref, resident_from="2010-04-01")
    Membership.objects.create(resident_id=ref, household_ref=uuid.uuid4(), valid=("2010-04-01", None), is_head=True)
    Message.objects.create(resident_ref=ref, kind="card_resumed", at=timezone.now())
    buy(ref, terminal, *[{"reduced": 100}] * 60)
    client.force_login(User.objects.get(username="hanako"))
    return client


def test_a_page_reads_no_more_when_there_are_others(reader: Client) -> None:
    alone = {path: read_for(reader, path) for path in PAGES}
    with connection.cursor() as cursor:
        cursor.execute(OTHERS)
    for path, (rows, blocks) in alone.items():
        rows_now, blocks_now = read_for(reader, path)
        assert rows_now <= rows, path
        assert blocks_now <= blocks + A_LEVEL_DEEPER, path


def test_the_newest_purchases_are_found_without_reading_the_others(reader: Client, terminal: int) -> None:
    ref = Resident.objects.get().ref
    for month in range(1, 13):
        buy(ref, terminal, *[{"reduced": 100}] * 60, month=month)
    with connection.cursor() as cursor:
        cursor.execute(OTHERS)
        cursor.execute("ANALYZE")
    (plan,) = json.loads(entries_of_resident(ref, YEAR)[:60].explain(format="json", analyze=True))
    assert rows_in(plan["Plan"]) <= 2 * 60
