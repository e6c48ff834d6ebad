"""The refund again, from the single entries in the Parquet archive, by DuckDB: the second, independent way.

Written from docs/refund-rules.md alone; it shares nothing with `assessment` but the scheme document. All numbers are
integers of at most 128 bits, and what does not fit is an error.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import duckdb

from apps.refunds.verification.errors import EntriesInvalid, RegisterInvalid, TooLarge
from apps.refunds.verification.households import read_register
from apps.refunds.verification.limits import apply_limits, round_refunds, start_parts
from apps.refunds.verification.plan import plan_of, text
from apps.refunds.verification.spend import sum_entries
from apps.schemes.document import Scheme

__all__ = ["EntriesInvalid", "RegisterInvalid", "SecondAssessment", "SecondRefund", "TooLarge", "second_assessment"]

MEMORY: Final = "4GB"
DIFFERENCES: Final = """
SELECT resident_ref::VARCHAR AS resident_ref, one.refund_minor AS from_totals, two.refund_minor AS from_archive,
       coalesce(one.spend, CASE WHEN one.refund_minor IS NOT NULL THEN '' END) AS spend_from_totals,
       two.spend AS spend_from_archive
FROM read_csv({first}, header = false, delim = ',', quote = '"', escape = '"', auto_detect = false,
              columns = {{'resident_ref': 'UUID', 'refund_minor': 'BIGINT', 'spend': 'VARCHAR'}}) one
FULL OUTER JOIN refunds two USING (resident_ref)
WHERE from_totals IS DISTINCT FROM from_archive OR spend_from_totals IS DISTINCT FROM spend_from_archive
"""


class SecondRefund(NamedTuple):
    """A resident's refund by this way, and the spend as `tier=amount,…` by tier, without tiers at 0."""

    resident_ref: str
    refund_minor: int
    spend: str


class SecondAssessment:
    """The refunds of every resident who has an entry in the files.

    `entries` is how many entries the files hold, `residents` of how many residents, `refund_minor` the sum of refunds.
    Spend and refunds count only purchases in the time of residence.
    """

    def __init__(self, duck: duckdb.DuckDBPyConnection) -> None:
        self._duck = duck
        self.entries = self._number("SELECT coalesce(sum(entries), 0)::HUGEINT FROM spend")
        self.residents = self._number("SELECT count(*) FROM refunds")
        self.refund_minor = self._number("SELECT coalesce(sum(refund_minor), 0)::HUGEINT FROM refunds")

    def refunds(self) -> Iterator[SecondRefund]:
        """Every resident's refund, by reference."""
        found = self._duck.cursor().execute(
            "SELECT resident_ref::VARCHAR, refund_minor, spend FROM refunds ORDER BY refunds.resident_ref"
        )
        while rows := found.fetchmany(50_000):
            yield from (SecondRefund(*row) for row in rows)

    def differences(self, first: Path, *, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """On how many residents the first way does not agree, and the first `limit` of them, by reference.

        `first` is a CSV file without a header: resident_ref, refund_minor, spend, each resident once. None stands
        where one way lacks the resident.
        """
        self._duck.execute(f"CREATE OR REPLACE TABLE differences AS {DIFFERENCES.format(first=text(first))}")
        shown = self._duck.execute(f"FROM differences ORDER BY resident_ref LIMIT {limit:d}")
        names = [column[0] for column in shown.description]
        rows = [dict(zip(names, row, strict=True)) for row in shown.fetchall()]
        return self._number("SELECT count(*) FROM differences"), rows

    def _number(self, statement: str) -> int:
        row = self._duck.execute(statement).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def second_assessment(
    files: Sequence[Path], scheme: Scheme, year: int, register: Path | None = None
) -> Iterator[SecondAssessment]:
    """The year's refunds from the archive's files and, for schemes that ask for it, the register.

    A register makes purchases count only in the months of residence. Without one everybody is alone all year and has no
    attributes. Raises EntriesInvalid, RegisterInvalid and TooLarge.
    """
    plan = plan_of(scheme, year, registered=register is not None)
    with TemporaryDirectory() as spill, duckdb.connect() as duck:
        duck.execute(f"SET memory_limit = '{MEMORY}'; SET temp_directory = {text(spill)}")
        duck.execute("SET preserve_insertion_order = false")
        try:
            sum_entries(duck, files, plan)
            if register is not None:
                read_register(duck, register)
            start_parts(duck, plan)
            apply_limits(duck, plan)
            round_refunds(duck, plan)
        except duckdb.OutOfRangeException as error:
            raise TooLarge(f"Sums do not fit 128 bits: {error}. Give the scheme's rates fewer decimals.") from error
        yield SecondAssessment(duck)
