"""How completely a merchant reports: three shares, of which the lowest is the score. Pure."""

from typing import Final, NamedTuple

LATE_DAYS: Final = 3  # a record that comes later than this after its time is late: a till sends within minutes


class Share(NamedTuple):
    """`good` of `all_` is as it should be; `permille` is that in thousandths, rounded down, and 1000 where all is 0."""

    name: str
    good: int
    all_: int

    @property
    def permille(self) -> int:
        """The share in thousandths: 1000 only if nothing is amiss."""
        return self.good * 1000 // self.all_ if self.all_ else 1000


class Counted(NamedTuple):
    """What is counted of a merchant's year.

    `numbers_missing` never came between a till's first and last number of the year; `late` came more than LATE_DAYS
    after its time; `closings_missing` are days of a till with sales and no closing; `closings_open` could not be
    compared yet.
    """

    records: int
    numbers_missing: int
    late: int
    closings_agree: int
    closings_differ: int
    closings_open: int
    closings_missing: int


def shares(counted: Counted) -> tuple[Share, Share, Share]:
    """Numbers that came, records in time, closings that agree. Those that cannot be compared yet count for nothing."""
    closings = counted.closings_agree + counted.closings_differ + counted.closings_missing
    return (
        Share("numbers", counted.records, counted.records + counted.numbers_missing),
        Share("in_time", counted.records - counted.late, counted.records),
        Share("closings", counted.closings_agree, closings),
    )


def score_permille(counted: Counted) -> int:
    """The lowest of the three, in thousandths: nothing that is well makes up for what is not."""
    return min(share.permille for share in shares(counted))
