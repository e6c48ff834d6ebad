from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from apps.audit.commands import OperatorCommand, progress_bar
from apps.kernel.errors import KanpuError
from apps.refunds.queries.what_if import what_if
from apps.refunds.what_if import Changed, Comparison, OfTier, Outcome, WhatIf
from apps.refunds.words import amount_text
from apps.schemes.adapting import Assumptions
from apps.schemes.document import Scheme
from apps.schemes.operations import SHIPPED, read_scheme_file
from apps.schemes.queries import SchemeUnknown, latest_version

WIDTH: Final = 120  # what the table of tenths needs, whatever reads it


class Command(OperatorCommand):
    help = (
        "What a scheme would have given in a recorded year, next to the scheme in force: cost, who is paid, by tenth of"
        " spend, who gains and who loses. Nothing is loaded or changed."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("scheme", metavar="FILE", help="a scheme file, or the code of a shipped or loaded scheme")
        parser.add_argument("--year", type=int, required=True, help="the recorded year")
        parser.add_argument(
            "--tier",
            action="append",
            default=[],
            metavar="RECORDED=TIER",
            help="what was recorded as one tier is taken as this tier of the scheme; as often as needed",
        )
        parser.add_argument("--as-of", type=int, metavar="YEAR", help="take the scheme's rates of this year's months")
        parser.add_argument(
            "--exchange-rate", metavar="RATE", help="what one unit of the scheme's currency is in the recorded one"
        )

    def handle(self, **options: Any) -> None:
        if options["json"]:
            super().handle(**options)
            return
        try:
            found = self._found(**options)
        except KanpuError as error:
            raise CommandError(f"{error} [{error.code}]") from error
        self.stdout.write(_in_words(found), ending="")

    def run(self, **options: Any) -> dict[str, Any]:
        return what_if_json(self._found(**options))

    def _found(self, **options: Any) -> WhatIf:
        scheme = _scheme(options["scheme"])
        tiers = dict(_pair(text) for text in options["tier"])
        assumed = Assumptions(tiers, options["as_of"], _rate(options["exchange_rate"]))
        with progress_bar() as progress:
            task = progress.add_task("residents", total=None, rate="")
            return what_if(
                options["year"],
                scheme,
                assumed,
                seen=lambda done, total: progress.update(task, completed=done, total=total),
            )


def _scheme(name: str) -> Scheme:
    """A file's scheme, a shipped one by its code, or the newest loaded version of a code."""
    paths = (Path(name), SHIPPED / f"{name}.yaml")
    if path := next((path for path in paths if path.is_file()), None):
        return read_scheme_file(path)
    try:
        return latest_version(name).scheme()
    except SchemeUnknown as error:
        raise SchemeUnknown(f"{name} is no file, and no shipped or loaded scheme: manage.py list_schemes") from error


def _pair(text: str) -> tuple[str, str]:
    recorded, equals, tier = text.partition("=")
    if not equals:
        raise CommandError(f"--tier {text}: write RECORDED=TIER, as in --tier reduced=basic_food.")
    return recorded, tier


def _rate(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        raise CommandError(f"--exchange-rate {text}: write a number, as 130.5.") from None


def what_if_json(found: WhatIf) -> dict[str, Any]:
    """Everything about a comparison; sums are in minor units, exact fractions texts such as 100/11."""
    comparison = found.comparison
    return {
        "year": found.year,
        "run": found.run,
        "currency": found.in_force.currency,
        "residents": comparison.residents,
        "spend_minor": comparison.spend_minor,
        "in_force": {"scheme": found.in_force.code} | _outcome_json(comparison.in_force),
        "other": {"scheme": found.other.code} | _outcome_json(comparison.other),
        "difference_minor": comparison.difference_minor,
        "deciles": [decile._asdict() for decile in comparison.deciles],
        "gainers": comparison.gainers._asdict(),
        "losers": comparison.losers._asdict(),
        "unchanged": comparison.unchanged,
        "notes": [note.en for note in found.notes],
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    values = asdict(outcome) | {"tiers": [tier._asdict() | {"brought": str(tier.brought)} for tier in outcome.tiers]}
    return {name: str(value) if isinstance(value, Fraction) else value for name, value in values.items()}


def _in_words(found: WhatIf) -> str:
    text = StringIO()
    console = Console(file=text, width=WIDTH)
    scheme, comparison = found.in_force, found.comparison
    console.print(
        f"{found.year}, run {found.run}: {comparison.residents:,} residents, {_money(scheme, comparison.spend_minor)}"
    )
    console.print(_figures(found))
    console.print(_tiers(found))
    console.print(_deciles(scheme, comparison))
    for name, changed in (("gain", comparison.gainers), ("lose", comparison.losers)):
        console.print(_changed(scheme, name, changed))
    console.print(f"{comparison.unchanged:,} residents: the same")
    for note in found.notes:
        console.print(f"- {note.en}")
    return text.getvalue()


def _figures(found: WhatIf) -> Table:
    one, two = found.comparison.in_force, found.comparison.other
    table = _table("", f"{found.in_force.code} (in force)", found.other.code, "difference")
    for name in ("cost_minor", "paid", "at_cap", "mean_minor", "median_minor"):
        values = getattr(one, name), getattr(two, name)
        is_money = name.endswith("_minor")
        numbers = (*values, values[1] - values[0])
        text = [_money(found.in_force, n) if is_money else f"{n:,}".replace("-", "−") for n in numbers]
        table.add_row(name.removesuffix("_minor").replace("_", " "), *text)
    return table


def _tiers(found: WhatIf) -> Table:
    """From what the tiers bring to the cost."""
    table = _table("", "spend", f"{found.in_force.code} (in force)", found.other.code)
    one, two = found.comparison.in_force, found.comparison.other
    others = {tier.tier: tier for tier in two.tiers}
    for tier in one.tiers:
        other = others.get(tier.tier, OfTier(tier.tier, 0, Fraction(0)))
        table.add_row(tier.tier, *(_money(found.in_force, n) for n in (tier.spend_minor, tier.brought, other.brought)))
    for name, values in (("limits", (-one.limited, -two.limited)), ("rounding", (one.rounded, two.rounded))):
        table.add_row(name, "", *(_money(found.in_force, value) for value in values))
    return table


def _deciles(scheme: Scheme, comparison: Comparison) -> Table:
    table = _table("tenth of spend", "from", "to", "cost in force", "cost", "mean in force", "mean")
    for number, _, *amounts in comparison.deciles:
        table.add_row(str(number), *(_money(scheme, amount) for amount in amounts))
    return table


def _changed(scheme: Scheme, name: str, changed: Changed) -> str:
    total, largest = _money(scheme, changed.sum_minor), _money(scheme, changed.largest_minor)
    return f"{changed.residents:,} residents {name}: {total} together, {largest} at most"


def _table(*columns: str) -> Table:
    table = Table()
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    return table


def _money(scheme: Scheme, amount: int | Fraction) -> str:
    return amount_text(scheme, amount, "en")
