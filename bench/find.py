"""Finding among 20 million entries: whether any two filters answer the first page soon enough."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from apps.audit.officers import Role
from apps.audit.operations.officers import appoint_officer
from apps.merchants.operations import create_merchant, enrol_terminal
from bench.entries import A_RESIDENT, begin, count_entries, query, register, session_of

TERMINALS: Final = 2_000
A_MERCHANT: Final = 5  # terminals
REGIONS: Final = 47
# Beside plain sales: returns, and few sales that are large; some of them came late, in the next run.
OTHERS: Final = """
INSERT INTO accruals_entry_2017 (at, card, counter, resident_ref, terminal_id, seq, of_terminal_id, of_seq, tax_year,
                                 run, part, month, kind, tiers, amounts_minor)
SELECT at, card, counter, resident_ref, terminal_id, seq + 1000000000,
       CASE WHEN counter % 10 > 0 THEN terminal_id END, CASE WHEN counter % 10 > 0 THEN seq END, tax_year,
       1 + (counter % 5 = 0)::int, 366, month, CASE WHEN counter % 10 > 0 THEN 'return' ELSE 'sale' END, tiers,
       ARRAY(SELECT u.amount * CASE WHEN counter % 10 > 0 THEN -1 ELSE 100 END FROM unnest(amounts_minor) u (amount))
FROM accruals_entry_2017 WHERE hashint8(counter) % 100 = 0 ORDER BY counter
"""


def fill(entries: int, said: Callable[[str], None]) -> str:
    """So many entries of a whole country's tills. Returns the session of an auditor."""
    said(f"registering {entries // A_RESIDENT:,} residents and {TERMINALS:,} tills")
    now = begin()
    register(entries // A_RESIDENT)
    with transaction.atomic():
        _tills(now)
    said(f"counting {entries:,} entries")
    count_entries(entries, terminals=TERMINALS)
    query(OTHERS)
    query("VACUUM ANALYZE accruals_entry_2017")
    appoint_officer("finder", add=[Role.AUDITOR], office="Bench", password="a-long-enough-one", at=now, actor="bench")
    return session_of(User.objects.get(username="finder"))


def _tills(now: datetime) -> None:
    """Five to a merchant, and each merchant in one prefecture."""
    for number in range(TERMINALS // A_MERCHANT):
        merchant, _ = create_merchant(f"Merchant {number:03d}", at=now, actor="bench")
        for till in range(A_MERCHANT):
            code, region = f"bench-{number:03d}-{till}", f"{number % REGIONS + 1:02d}"
            enrol_terminal(merchant, code, store_name=f"Store {till // 2}", region=region, at=now, actor="bench")
