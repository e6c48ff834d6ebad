"""The report of both plays: year.json, growth.svg and year.md."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.year import growth, japan, prices

CHECKPOINTS: Final = (0.1, 0.25, 0.5, 0.75, 1.0)  # of the purchases: 2, 5, 10, 15 and 20 million
STEPS: Final = {"frozen": "freeze", "assessed": "assess", "verified": "verify"}
Row = dict[str, Any]


def write(folder: Path, played: Mapping[str, Any]) -> None:
    """Write the three files of the plays `tenth` and `whole`."""
    found = document(played)
    (folder / "year.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "growth.svg").write_text(chart(found["checkpoints_of_all_legs"]))
    (folder / "year.md").write_text(words(found))


def document(played: Mapping[str, Any]) -> dict[str, Any]:
    """All that is known: measured, checkpoints, year ends, and Japan's figures with their arithmetic."""
    whole = played["whole"]
    rows = so_far(whole["legs"])
    found = japan.measured(whole)
    return {
        "plays": played,
        "checkpoints": [rows[index] for index in chosen(rows)],
        "checkpoints_of_all_legs": rows,
        "measured": found,
        "given": [given._asdict() for given in (*prices.GIVEN, *japan.DERIVED)],
        "japan": [figure._asdict() for figure in japan.figures(found)],
    }


def so_far(legs: Sequence[Row]) -> list[Row]:
    """After each leg: sums from the year's beginning, peaks so far, and what this leg's purchases cost each."""
    rows: list[Row] = []
    for leg in legs:
        before = rows[-1] if rows else {}
        cpu_us = {
            "load_cpu_us": (leg["load"]["accept_cpu_s"] + leg["load"]["db_cpu_s"]) * 1e6 / leg["sales"],
            "count_cpu_us": (leg["count"]["worker_cpu_s"] + leg["count"]["db_cpu_s"]) * 1e6 / leg["sales"],
        }
        rows.append(
            {
                "purchases": before.get("purchases", 0) + leg["sales"],
                "load_s": before.get("load_s", 0) + leg["load"]["wall_s"],
                "count_s": before.get("count_s", 0) + leg["count"]["wall_s"],
                "archive_s": before.get("archive_s", 0) + leg["archive"]["wall_s"],
                **cpu_us,
                "load_cpu_s": before.get("load_cpu_s", 0) + cpu_us["load_cpu_us"] * leg["sales"] / 1e6,
                "count_cpu_s": before.get("count_cpu_s", 0) + cpu_us["count_cpu_us"] * leg["sales"] / 1e6,
                "loader_mb": leg["load"]["peak_mb"],
                "worker_mb": leg["count"]["peak_mb"],
                "archive_mb": leg["archive"]["peak_mb"],
                "backend_mb": leg["backend_mb"],
                "database_gb": leg["database_bytes"] / 1e9,
            }
        )
    return rows


def chosen(rows: Sequence[Row]) -> list[int]:
    """The legs nearest to the checkpoints."""
    last = rows[-1]["purchases"]
    found = {min(range(len(rows)), key=lambda n: abs(rows[n]["purchases"] - part * last)) for part in CHECKPOINTS}
    return sorted(found)


def chart(rows: Sequence[Row]) -> str:
    """Growth in three panels: CPU time, memory, disk."""

    def line(name: str, key: str) -> growth.Line:
        return growth.Line(name, [(row["purchases"] / 1e6, row[key]) for row in rows])

    panels = (
        growth.Panel(
            "CPU seconds so far, over the API's operation, workers and database (dashed: a straight line)",
            [line("accepting", "load_cpu_s"), line("counting", "count_cpu_s")],
            straight=True,
        ),
        growth.Panel(
            "Peak memory of a process, MB",
            [
                line("loader", "loader_mb"), line("worker", "worker_mb"), line("archive", "archive_mb"),
                line("database backend", "backend_mb"),
            ],
        ),
        growth.Panel("Database on disk, GB", [line("PostgreSQL", "database_gb")], straight=True),
    )  # fmt: skip
    last = rows[-1]
    description = (
        f"After {last['purchases']:,} purchases: {last['load_cpu_s']:,.0f} CPU seconds of accepting,"
        f" {last['count_cpu_s']:,.0f} of counting; worker {last['worker_mb']} MB,"
        f" database {last['database_gb']:.1f} GB."
    )
    return growth.drawing("A year of purchases: time, memory and disk as they grow", description, panels)


def words(found: Mapping[str, Any]) -> str:
    """The report as people read it."""
    whole = found["plays"]["whole"]
    checked = whole["checked"]
    parts = [
        f"# A year of {whole['purchases']:,} purchases by {whole['residents']:,} residents",
        f"On {whole['cores']} cores, generator, loaders, workers and database together; seed {whole['seed']}. The"
        f" database and the generator's own ledger say the same: {checked['sales']:,} sales,"
        f" {checked['voids']:,} voids, {checked['returns']:,} returns, the spend on each tier, and"
        f" ¥{checked['refund_minor']:,} of refunds to {checked['refunded']:,} residents. No alarm was raised.",
        "## Growth\n\n" + _growth(found["checkpoints"]),
        "## Year end\n\n" + _year_end(found["plays"]),
        "## Measured, per purchase\n\n" + _measured(found["measured"]),
        "## What it means for Japan\n\n" + _in_short(found["japan"]) + "\n\n" + _japan(found["japan"]),
        "### Given\n\n" + _given(),
        "### Not counted\n\n" + "\n".join(f"- {text}" for text in prices.NOT_COUNTED),
    ]
    return "\n\n".join(parts) + "\n"


def _growth(rows: Sequence[Row]) -> str:
    head = ("purchases", "load s", "count s", "archive s", "load CPU s", "count CPU s", "load µs each", "count µs each",
            "loader MB", "worker MB", "archive MB", "backend MB", "database GB")  # fmt: skip
    keys = ("purchases", "load_s", "count_s", "archive_s", "load_cpu_s", "count_cpu_s", "load_cpu_us", "count_cpu_us",
            "loader_mb", "worker_mb", "archive_mb", "backend_mb", "database_gb")  # fmt: skip
    first, last = rows[0], rows[-1]
    text = "Seconds so far; µs are CPU of the last leg's purchases, with the database; MB are peaks of a process.\n\n"
    more = last["purchases"] / first["purchases"]
    ratios = {key: last[key] / first[key] for key in ("load_cpu_s", "count_cpu_s", "worker_mb", "loader_mb")}
    return (
        text
        + table(head, [[_cell(row[key]) for key in keys] for row in rows])
        + f"\n\n{more:.2f} times the purchases took {ratios['load_cpu_s']:.2f} times the CPU of accepting,"
        f" {ratios['count_cpu_s']:.2f} times that of counting, {ratios['worker_mb']:.2f} times a worker's memory and"
        f" {ratios['loader_mb']:.2f} times a loader's."
    )


def _year_end(plays: Mapping[str, Any]) -> str:
    rows = []
    for play in plays.values():
        for key, name in STEPS.items():
            step = play["year_end"][key]
            cpu_s = step["cpu_s"] + step["db_cpu_s"] + step["worker_cpu_s"]
            cells = [play["purchases"], name, step["wall_s"], cpu_s, step["peak_mb"], step["worker_peak_mb"]]
            rows.append([one if isinstance(one, str) else _cell(one) for one in cells])
    return table(("purchases", "step", "s", "CPU s", "its process MB", "worker MB"), rows)


def _measured(found: Mapping[str, float]) -> str:
    rows = [[name, japan.number(found[name]), unit, meaning] for name, (unit, meaning) in japan.MEASURED.items()]
    return table(("figure", "value", "unit", "what"), rows)


def _in_short(figures: Sequence[Row]) -> str:
    found = {figure["name"]: japan.number(figure["value"]) for figure in figures}
    return (
        f"125 million residents with 300 million purchases a day: {found['cores']} cores at the peak,"
        f" {found['machines']} machines of 16 cores ({found['db_machines']} for the database),"
        f" {found['db_tb_a_year']} TB a year in PostgreSQL and {found['archive_tb_a_year']} TB in Parquet,"
        f" {found['db_tb_bought']} TB of disk for seven years three times over, {found['in_gbit_s']} Gbit/s from tills"
        f" at the peak. ¥{found['yen_a_year']} a year:"
        f" **¥{found['yen_a_resident']} a resident and year** at list prices."
    )


def _japan(figures: Sequence[Row]) -> str:
    rows = [[f["meaning"], japan.number(f["value"]), f["unit"], f"`{f['name']} = {f['arithmetic']}`"] for f in figures]
    return table(("what", "value", "unit", "arithmetic"), rows)


def _given() -> str:
    rows = [
        [given.name, japan.number(given.value), given.unit, given.source]
        for given in (*prices.GIVEN, *japan.DERIVED)
        if given.source
    ]
    return table(("figure", "value", "unit", "source"), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
