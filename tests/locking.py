"""What a migration's SQL holds up: statements that lock a big table for as long as all its rows take. Pure.

A lock that is taken and given back at once holds up nobody; one that lasts while rows are rewritten, checked or indexed
holds up every till (PostgreSQL 18, ALTER TABLE and Explicit Locking).
"""

import re
from collections.abc import Collection
from typing import Final

NAME: Final = r'(?:ONLY\s+)?"?(?:public"?\.)?"?(?P<table>\w+)"?'
ALTER: Final = rf"ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?{NAME}\b.*?"
DEFAULT_OF_ITS_OWN: Final = r"\bDEFAULT\s+\(?\w*(?:random|now|clock_|nextval|xact_id|uuid)"
RULES: Final = (
    (rf"{ALTER}\bTYPE\b", "a column's type changes: every row is written anew"),
    (rf"{ALTER}\bSET\s+NOT\s+NULL", "every row is read: validate a CHECK that was added NOT VALID first"),
    (rf"{ALTER}\bADD\s+COLUMN\b(?=.*\bNOT\s+NULL)(?!.*\bDEFAULT\b)", "NOT NULL without a default: rows have none"),
    (rf"{ALTER}\bADD\s+COLUMN\b.*{DEFAULT_OF_ITS_OWN}", "each row gets a default of its own: all are written anew"),
    (rf"{ALTER}\bADD\s+COLUMN\b.*\bGENERATED\b", "a generated column: every row is written anew"),
    (
        rf"{ALTER}\bADD\s+CONSTRAINT\b(?!.*(?:NOT\s+VALID|USING\s+INDEX))",
        "every row is read: add it NOT VALID, validate it in another migration; a key needs an index that is there",
    ),
    (rf"{ALTER}\bRENAME\b", "the servers that still run know the old name"),
    (rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)\S+\s+ON\s+{NAME}", "make the index CONCURRENTLY, not atomic"),
    (rf"(?:REINDEX|CLUSTER|VACUUM\s+FULL)\s+(?!.*CONCURRENTLY)(?:TABLE\s+)?{NAME}", "the table is written anew"),
    (rf"LOCK\s+TABLE\s+{NAME}", "a lock for the whole migration"),
    (rf"UPDATE\s+{NAME}\s+(?:AS\s+\w+\s+|\w+\s+)?SET\b", "rows are changed: do it by a command, in parts"),
)


def held_up(sql: str, big: Collection[str]) -> list[str]:
    """Each table of `big` that a migration's SQL locks for long, with what to do instead; not those that it makes."""
    new = set(re.findall(r'CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"?(\w+)', sql, re.IGNORECASE))
    found = []
    for statement in sql.split(";"):
        for rule, words in RULES:
            match = re.search(rule, " ".join(statement.split()), re.IGNORECASE)
            if match and match["table"] in big and match["table"] not in new:
                found.append(f"{match['table']}: {words}")
    return found
