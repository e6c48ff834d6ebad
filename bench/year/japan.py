"""What the measured sample means for Japan: a table of formulas over measured and given figures. Pure.

A formula is names with `*` and `/` between them, or with `+`, from left to right; `ceil` before it, or `max` and
two names. So each figure's arithmetic can be printed with the numbers in it, and anybody can do it again.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from bench.year.prices import GIVEN, Given


class Formula(NamedTuple):
    """A figure to compute: its name, unit, formula, and what it is."""

    name: str
    unit: str
    formula: str
    meaning: str


class Figure(NamedTuple):
    """A computed figure with its arithmetic, numbers in place of names."""

    name: str
    value: float
    unit: str
    meaning: str
    arithmetic: str


FORMULAS: Final = (
    Formula("purchases_a_year", "purchases", "purchases_a_day * days_a_year", "purchases a year"),
    Formula("mean_per_s", "purchases/s", "purchases_a_day / seconds_a_day", "mean rate"),
    # Cores
    Formula("api_cores", "cores", "accept_us * front * peak_per_s * headroom / million", "API servers at the peak"),
    Formula("worker_cores", "cores", "count_us * peak_per_s * headroom / million", "workers at the peak"),
    Formula("db_us", "µs", "accept_db_us + count_db_us + archive_us", "database's share of a purchase"),
    Formula("db_cores", "cores", "db_us * peak_per_s * headroom / million", "database servers at the peak"),
    Formula("db_cores_all", "cores", "db_cores * copies", "with their standbys"),
    Formula("cores", "cores", "api_cores + worker_cores + db_cores_all", "cores in all at the peak"),
    # Disks
    Formula("db_tb_a_year", "TB", "db_bytes * purchases_a_year / bytes_a_tb", "a year in PostgreSQL, indexes included"),
    Formula("db_tb_kept", "TB", "db_tb_a_year * retention_years", "until the retention date"),
    Formula("db_tb_bought", "TB", "db_tb_kept * copies / disk_use", "disk bought, with standbys and room"),
    Formula("archive_tb_a_year", "TB", "archive_bytes * purchases_a_year / bytes_a_tb", "a year in the archive"),
    Formula("archive_tb_kept", "TB", "archive_tb_a_year * retention_years", "archive until the retention date"),
    # Machines
    Formula("front_for_cores", "machines", "ceil api_cores / cores_a_machine", "API servers, by cores"),
    Formula("workers_for_cores", "machines", "ceil worker_cores / cores_a_machine", "workers, by cores"),
    Formula("front_machines", "machines", "max front_for_cores least_machines", "API servers"),
    Formula("worker_machines", "machines", "max workers_for_cores least_machines", "worker hosts"),
    Formula("db_machines_for_cores", "machines", "ceil db_cores_all / cores_a_machine", "database servers, by cores"),
    Formula("db_machines_for_disk", "machines", "ceil db_tb_bought / disk_tb_a_machine", "database servers, by disk"),
    Formula("db_machines", "machines", "max db_machines_for_cores db_machines_for_disk", "the larger of both"),
    Formula("machines", "machines", "front_machines + worker_machines + db_machines", "machines in all"),
    # Network
    Formula("in_gbit_s", "Gbit/s", "sent_bytes * bits_a_byte * peak_per_s / bytes_a_gb", "from tills at the peak"),
    Formula("in_tb_a_year", "TB", "sent_bytes * purchases_a_year / bytes_a_tb", "from tills a year"),
    Formula("log_tb_a_year", "TB", "wal_bytes * purchases_a_year / bytes_a_tb", "the database's log of a year"),
    Formula("log_gbit_s", "Gbit/s", "wal_bytes * bits_a_byte * peak_per_s / bytes_a_gb", "to each standby at the peak"),
    # Year end
    Formula("assess_core_hours", "core hours", "assess_us * residents / million / seconds_an_hour", "assessing all"),
    Formula("assess_cores", "cores", "ceil assess_core_hours / year_end_hours", "cores to do it in a night"),
    Formula(
        "verify_core_hours", "core hours", "verify_us * purchases_a_year / million / seconds_an_hour",
        "assessing all again from the archive",
    ),
    Formula("verify_cores", "cores", "ceil verify_core_hours / year_end_hours", "cores to do it in a night"),
    # Yen
    Formula("machines_yen", "¥/year", "machines * machine_usd * months * yen_a_dollar", "machines"),
    Formula("disks_yen", "¥/year", "db_tb_bought * gb_a_tb * disk_usd * months * yen_a_dollar", "the database's disks"),
    Formula("archive_yen", "¥/year", "archive_tb_kept * gb_a_tb * object_usd * months * yen_a_dollar", "the archive"),
    Formula(
        "backup_yen", "¥/year", "db_tb_kept * backup_copies * gb_a_tb * cold_usd * months * yen_a_dollar", "a backup",
    ),
    Formula("log_yen", "¥/year", "log_tb_a_year * standbys * gb_a_tb * zone_usd * yen_a_dollar", "log between zones"),
    Formula("in_yen", "¥/year", "in_tb_a_year * gb_a_tb * in_usd * yen_a_dollar", "what tills send"),
    Formula(
        "yen_a_year", "¥/year", "machines_yen + disks_yen + archive_yen + backup_yen + log_yen + in_yen", "all a year",
    ),
    Formula("yen_a_resident", "¥/year", "yen_a_year / residents", "all a resident and year"),
    Formula("yen_a_million", "¥", "yen_a_year * million / purchases_a_year", "all per million purchases"),
    # One machine
    Formula("all_us", "µs", "accept_us + count_us + db_us", "CPU of a purchase from acceptance to archive"),
    Formula("peak_a_resident", "purchases/s", "peak_per_s / residents", "peak of one resident"),
    Formula(
        "residents_of_two_cores", "residents", "two_cores * million / all_us / headroom / peak_a_resident",
        "a city that a machine of two cores carries at its peak",
    ),
)  # fmt: skip
DERIVED: Final = (
    Given("standbys", 2, "standbys", "copies less the server itself"),
    Given("two_cores", 2, "cores", "a laptop"),
)
MEASURED: Final = {
    "accept_us": ("µs", "CPU of accepting a purchase, in the API's process"),
    "accept_db_us": ("µs", "CPU of accepting a purchase, in PostgreSQL"),
    "count_us": ("µs", "CPU of counting a purchase, in workers"),
    "count_db_us": ("µs", "CPU of counting a purchase, in PostgreSQL"),
    "archive_us": ("µs", "CPU of archiving a purchase, in PostgreSQL and beside it"),
    "db_bytes": ("bytes", "PostgreSQL's disk per purchase, indexes, totals, cancellations and all included"),
    "wal_bytes": ("bytes", "PostgreSQL's log per purchase (with wal_level minimal; a standby needs somewhat more)"),
    "archive_bytes": ("bytes", "Parquet per purchase"),
    "sent_bytes": ("bytes", "a purchase as a till sends it"),
    "assess_us": ("µs", "CPU of assessing a resident, PostgreSQL and all"),
    "verify_us": ("µs", "CPU of verifying, per purchase"),
}


def measured(play: Mapping[str, Any]) -> dict[str, float]:
    """The figures per purchase and per resident of a play, from its JSON: CPU in µs, disk in bytes."""
    legs, purchases, residents = play["legs"], play["known"]["sales"], play["known"]["buyers"]
    end = play["year_end"]

    def us(cpu_s: float, of: int) -> float:
        return cpu_s * 1e6 / of

    def step(name: str) -> float:
        return float(sum(end[name][part] for part in ("cpu_s", "db_cpu_s", "worker_cpu_s")))

    return {
        "accept_us": us(sum(leg["load"]["accept_cpu_s"] for leg in legs), purchases),
        "accept_db_us": us(sum(leg["load"]["db_cpu_s"] for leg in legs), purchases),
        "count_us": us(sum(leg["count"]["worker_cpu_s"] for leg in legs), purchases),
        "count_db_us": us(sum(leg["count"]["db_cpu_s"] for leg in legs), purchases),
        "archive_us": us(sum(leg["archive"]["db_cpu_s"] + leg["archive"]["cpu_s"] for leg in legs), purchases),
        "db_bytes": play["bytes"]["database"] / purchases,
        "wal_bytes": play["bytes"]["wal"] / purchases,
        "archive_bytes": play["archive_bytes"] / purchases,
        "sent_bytes": sum(leg["sent_bytes"] for leg in legs) / purchases,
        "assess_us": us(step("assessed"), residents),
        "verify_us": us(step("verified"), purchases),
    }


def figures(found: Mapping[str, float], formulas: Sequence[Formula] = FORMULAS) -> list[Figure]:
    """Every formula's figure, in order; `found` are the measured ones. Raises KeyError for a name that is not known."""
    known = {given.name: given.value for given in (*GIVEN, *DERIVED)} | dict(found)
    made = []
    for formula in formulas:
        known[formula.name] = computed(formula.formula, known)
        shown = re.sub(r"[a-z][a-z0-9_]*", lambda name: _named(name[0], known), formula.formula)
        arithmetic = f"{formula.formula} = {shown} = {number(known[formula.name])}"
        made.append(Figure(formula.name, known[formula.name], formula.unit, formula.meaning, arithmetic))
    return made


def computed(formula: str, known: Mapping[str, float]) -> float:
    """The value of a formula."""
    first, *rest = formula.split(" ")
    if first == "max":
        return max(known[name] for name in rest)
    if first == "ceil":
        return math.ceil(computed(" ".join(rest), known))
    value = known[first]
    for sign, name in zip(rest[::2], rest[1::2], strict=True):
        value = {"*": value * known[name], "+": value + known[name], "/": value / (known[name] or math.nan)}[sign]
    return value


def number(value: float) -> str:
    """A figure as people read it: whole from 1,000 up, three digits below."""
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _named(name: str, known: Mapping[str, float]) -> str:
    return name if name in ("ceil", "max") else number(known[name])
