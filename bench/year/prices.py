"""What is bought and what it costs: facts with source and date, and assumptions that say so. Data only.

Prices are list prices in dollars without tax, of Google Cloud in Tokyo (asia-northeast1), as the public table made
from Google's own price interface has them (github.com/Cyclenerd/google-cloud-pricing-cost-calculator, pricing.yml of
6 March 2025). Google's price page of 20 September 2026 still has the same prices for object storage in its home region;
whether machines and disks in Tokyo cost the same today is not known. Prices of the same things from others in Japan
(Amazon, Sakura) could not be looked up. No discount for a long term is taken: three years would save more than half of
what machines cost (t2d-standard-16: $284.83 a month).
"""

from typing import Final, NamedTuple


class Given(NamedTuple):
    """A figure that is not measured: its name in formulas, value, unit, and where it comes from."""

    name: str
    value: float
    unit: str
    source: str


PRICES_SOURCE: Final = "Google Cloud, Tokyo, list price of 2025-03-06"
GIVEN: Final = (
    Given("residents", 125_000_000, "residents", "the design's scale of Japan"),
    Given("purchases_a_day", 300_000_000, "purchases", "the design's scale of Japan"),
    Given("days_a_year", 365, "days", "calendar"),
    Given("peak_per_s", 21_000, "purchases/s", "the design's peak of Japan: 6 times the mean of a day"),
    Given("retention_years", 7, "years", "kept until the retention date, in PostgreSQL and in the archive"),
    Given("copies", 3, "copies", "replication: a database server and two standbys, each as large (assumption)"),
    Given("headroom", 2, "×", "at the peak nothing is more than half busy (assumption)"),
    Given("front", 2, "×", "HTTP, TLS, authentication and JSON around the operation that was measured (assumption)"),
    Given("disk_use", 0.7, "share", "disks are filled to seven tenths (assumption)"),
    Given("cores_a_machine", 16, "cores", "t2d-standard-16: whole cores, each as fast as one here (assumption); 64 GB"),
    Given("least_machines", 3, "machines", "of a kind, one a zone, so that a zone may fail (assumption)"),
    Given("disk_tb_a_machine", 32, "TB", "disk that one database server carries (assumption)"),
    Given("backup_copies", 1, "copies", "of the database, in cold object storage (assumption)"),
    Given("year_end_hours", 8, "hours", "a night for each assessment (assumption)"),
    Given("machine_usd", 633.03, "$/month", f"t2d-standard-16, {PRICES_SOURCE}"),
    Given(
        "disk_usd",
        0.221,
        "$/GB and month",
        f"SSD persistent disk, half of the replicated one's, {PRICES_SOURCE}",
    ),
    Given("object_usd", 0.023, "$/GB and month", f"object storage, standard, in one region, {PRICES_SOURCE}"),
    Given("cold_usd", 0.006, "$/GB and month", f"object storage, coldline, {PRICES_SOURCE}"),
    Given("zone_usd", 0.02, "$/GB", "between zones, 0.01 each way (public guides to Google's prices, May 2026)"),
    Given("in_usd", 0.0, "$/GB", "what comes in is free (Google Cloud, network tiers)"),
    Given("yen_a_dollar", 157, "¥/$", "Tokyo, 5 January 2026, rounded; the rate of the day decides (assumption)"),
    Given("months", 12, "months", "calendar"),
    Given("bytes_a_gb", 1e9, "bytes", "decimal; price lists mean 2^30, so storage comes out 7 % too dear"),
    Given("bytes_a_tb", 1e12, "bytes", "decimal"),
    Given("gb_a_tb", 1000, "GB", "decimal"),
    Given("million", 1e6, "", ""),
    Given("seconds_a_day", 86_400, "s", ""),
    Given("seconds_an_hour", 3_600, "s", ""),
    Given("bits_a_byte", 8, "bits", ""),
)
NOT_COUNTED: Final = (
    "people, support contracts, and an office's or portal's traffic",
    "answers to tills (some hundred bytes a batch) and what leaves the cloud",
    "Redis, load balancers, key management, monitoring, a second region for disasters, a place for tests",
    "that closed years could lie on slower disks, at a third of the price or less",
    "that purchases sent one by one cost more than a hundred a request, as measured here",
    "that a standby works less than its server: it is counted as a whole machine",
    "that a resident of Japan buys more often than one of the sample, so totals and refunds weigh less a purchase",
)
