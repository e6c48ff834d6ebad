"""To whom children's shares go: the head of their household, if that is an adult."""

from typing import Final

from apps.residents.models import VaultRecord
from apps.residents.operations.importing.job import Cursor, Job
from apps.residents.operations.importing.staging import ADULT_AGE
from apps.residents.queries.vault import opened
from apps.residents.register.prepared import age_on

MANY: Final = 2_000
# Heads as they are now. Whether a head whom the file does not have is of age, only the vault knows.
HEADS: Final = """
DROP TABLE IF EXISTS heads;
CREATE TEMP TABLE heads AS
SELECT m.household_ref, m.resident_id AS ref, NOT s.is_child AS is_adult
FROM residents_membership m LEFT JOIN staged s ON s.ref = m.resident_id
WHERE m.is_head AND upper_inf(m.valid) AND m.household_ref IN (SELECT household_ref FROM staged);
ANALYZE heads
"""
UNKNOWN: Final = """
SELECT ref FROM heads WHERE is_adult IS NULL
    AND household_ref IN (SELECT household_ref FROM staged WHERE is_child)
LIMIT %s
"""
SET: Final = """
UPDATE residents_membership AS m SET payee_id = n.payee FROM (
    SELECT m.id, CASE
        WHEN coalesce(s.is_child, m.payee_id IS NOT NULL) AND h.is_adult AND h.ref <> m.resident_id THEN h.ref
    END AS payee
    FROM heads h JOIN residents_membership m ON m.household_ref = h.household_ref AND upper_inf(m.valid)
    LEFT JOIN staged s ON s.ref = m.resident_id
    WHERE h.is_adult IS NOT NULL) n
WHERE m.id = n.id AND m.payee_id IS DISTINCT FROM n.payee
"""


def set_payees(cursor: Cursor, job: Job) -> None:
    """Have the shares of children go to the heads of the households that the file has, where these are adults.

    A child is who is under 18 on the job's day. Those whom the file does not have stay what they were.
    """
    cursor.execute(HEADS)
    while refs := [ref for (ref,) in cursor.execute(UNKNOWN, [MANY])]:
        rows = VaultRecord.objects.filter(pk__in=refs).values("resident_id", "person")
        people = {row["resident_id"]: opened(job.keys, row["resident_id"], {**row}).person for row in rows}
        ages = {ref: age_on(job.as_of, person.birth_date) if person else 0 for ref, person in people.items()}
        flags = [ages.get(ref, 0) >= ADULT_AGE for ref in refs]
        cursor.execute(
            "UPDATE heads h SET is_adult = n.flag FROM unnest(%s::uuid[], %s::bool[]) n (ref, flag)"
            " WHERE h.ref = n.ref",
            [refs, flags],
        )
    cursor.execute(SET)
