"""What processes count as they work, for Prometheus. Pure, but for the files in which a host's processes add up.

Names, labels and what is read from the database when it is asked for: apps/upkeep/queries/gauges.py.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter

OWN: Final = CollectorRegistry()  # of this process; with files, those of all processes are read instead

ACCEPTED: Final = Counter("kanpu_records_accepted", "Records accepted from tills, durably", registry=OWN)
REFUSED: Final = Counter("kanpu_records_refused", "Records refused, by their error's code", ["code"], registry=OWN)
ANSWERED_ERRORS: Final = Counter(
    "kanpu_api_errors", "Requests of the API answered with an error, by its code", ["code"], registry=OWN
)
COUNTED: Final = Counter("kanpu_records_counted", "Accepted records that workers dealt with", registry=OWN)
SET_ASIDE: Final = Counter("kanpu_poison_set_aside", "Times that work was set aside because it failed", registry=OWN)
REPEATED: Final = Counter("kanpu_transactions_repeated", "Transactions made again after a conflict", registry=OWN)
