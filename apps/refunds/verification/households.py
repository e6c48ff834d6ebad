"""Who lived where in each month, and what the register says of residents.

Makes the tables `lived` (resident_ref, household_ref, month), with every resident who bought or is in the register,
and `said` (resident_ref, attributes).
"""

from pathlib import Path
from typing import Final

import duckdb

from apps.refunds.verification.errors import RegisterInvalid
from apps.refunds.verification.plan import text

LIVED: Final = """
CREATE TABLE lived AS SELECT resident_ref, household_ref, unnest(range(first_month, last_month + 1))::UTINYINT AS month
FROM register
"""
TWICE: Final = """
SELECT resident_ref, 'lives in two households in month ' || month FROM lived
GROUP BY resident_ref, month HAVING count(*) > 1
UNION ALL SELECT resident_ref, 'has months that no year has' FROM register
WHERE NOT (1 <= first_month AND first_month <= last_month AND last_month <= 12)
UNION ALL SELECT resident_ref, 'has two sets of attributes' FROM said GROUP BY resident_ref HAVING count(*) > 1
ORDER BY 1, 2 LIMIT 1
"""
ALONE: Final = """
INSERT INTO lived SELECT resident_ref, resident_ref, unnest(range(1, 13)) FROM (SELECT DISTINCT resident_ref FROM spend)
WHERE resident_ref NOT IN (SELECT resident_ref FROM register)
"""


def read_register(duck: duckdb.DuckDBPyConnection, register: Path) -> None:
    """Make `lived` and `said`. Who is not in the register is alone all year. Raises RegisterInvalid."""
    duck.execute(f"CREATE TABLE register AS FROM read_parquet({text(register)})")
    duck.execute(LIVED)
    duck.execute("CREATE TABLE said AS SELECT DISTINCT resident_ref, attributes::JSON AS attributes FROM register")
    if twice := duck.execute(TWICE).fetchone():
        raise RegisterInvalid(f"The register is contradictory: {twice[0]} {twice[1]}. Write it anew.")
    duck.execute(ALONE)


def number(attribute: str) -> str:
    """An attribute's integer as an expression over `attributes`; NULL where it is lacking or no integer."""
    path = text(f"$.{attribute}")
    is_integer = f"json_type(attributes, {path}) IN ('UBIGINT', 'BIGINT')"
    return f"CASE WHEN {is_integer} THEN (attributes ->> {path})::HUGEINT END"


def words(attribute: str) -> str:
    """An attribute's text as an expression over `attributes`; NULL where it is lacking or no text."""
    path = text(f"$.{attribute}")
    return f"CASE WHEN json_type(attributes, {path}) = 'VARCHAR' THEN attributes ->> {path} END"
