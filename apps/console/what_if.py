"""What another scheme would have given in a recorded year: what an auditor asks, and the answer. Nothing is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, TypeAlias

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accruals.queries import residents_about
from apps.console.charts import PairChart, pair_chart
from apps.kernel.errors import KanpuError
from apps.refunds.queries.what_if import RecordedYear, recorded_year, what_if
from apps.refunds.templatetags.kanpu import in_language
from apps.refunds.what_if import OfTier, WhatIf
from apps.schemes.adapting import Assumptions, unmatched
from apps.schemes.document import Scheme, Words, digest, measures_purchases
from apps.schemes.models import SchemeVersion
from apps.schemes.operations import SHIPPED, read_scheme_file
from apps.schemes.reading import SchemeInvalid, read_scheme_text

Files: TypeAlias = "MultiValueDict[str, UploadedFile[Any]] | None"
FILE_MAX_BYTES: Final = 200_000
# What a request takes some seconds for; an eighth where every entry is read.
RESIDENTS_AT_MOST: Final = 40_000
ENTRIES_WEIGH: Final = 8


class ChoiceForm(forms.Form):
    """Which scheme: a shipped or loaded one, or a file's content, which goes before."""

    scheme = forms.ChoiceField(label=_("Scheme"), required=False)
    file = forms.FileField(label=_("or a scheme file of your own (YAML)"), required=False)
    text = forms.CharField(
        label=_("or its content"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
    )

    def __init__(self, data: Mapping[str, Any] | None, files: Files) -> None:
        super().__init__(data, files, use_required_attribute=False)
        self.fields["scheme"].choices = [("", "—"), *known_schemes().items()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The same with the chosen Scheme as `chosen`. Errors of a file name its line."""
        cleaned = self.cleaned_data
        try:
            cleaned["chosen"] = self._chosen(cleaned)
        except SchemeInvalid as error:
            self.add_error("text", str(error))
        else:
            if cleaned["chosen"] is None and not self.errors:
                self.add_error("scheme", _("Choose a scheme, or give a file."))
        return cleaned

    def _chosen(self, cleaned: Mapping[str, Any]) -> Scheme | None:
        content = _content(cleaned.get("file"), cleaned.get("text", ""))
        if not content:
            return known_scheme(cleaned["scheme"]) if cleaned.get("scheme") else None
        try:
            return read_scheme_text(content, name="scheme.yaml")
        except (RecursionError, ValueError, ArithmeticError):
            raise forms.ValidationError(_("This is no scheme file.")) from None


class AssumptionsForm(forms.Form):
    """What must be assumed so that the scheme fits the year: its tiers, its currency, the year of its rates."""

    as_of = forms.IntegerField(
        label=_("Rates of the year (empty: the recorded year)"), required=False, min_value=1900, max_value=2200
    )

    def __init__(self, data: Mapping[str, Any], scheme: Scheme, recorded: RecordedYear) -> None:
        missing = unmatched(scheme, (tier for tier, _month in recorded.bought))
        foreign = scheme.currency != recorded.in_force.currency
        asked = [f"tier_{code}" for code in missing] + ["exchange_rate"] * foreign
        super().__init__(data if all(name in data for name in asked) else None, use_required_attribute=False)
        names = {tier.code: tier.name for tier in recorded.in_force.tiers}
        choices = [("", "—"), *((tier.code, in_language(tier.name)) for tier in scheme.tiers)]
        self.tiers = missing
        for code in missing:
            label = _("“%(tier)s” is taken as") % {"tier": in_language(names[code])}
            self.fields[f"tier_{code}"] = forms.ChoiceField(label=label, choices=choices)
        if foreign:
            label = _("1 %(scheme)s in %(recorded)s") % {
                "scheme": scheme.currency,
                "recorded": recorded.in_force.currency,
            }
            self.fields["exchange_rate"] = forms.DecimalField(
                label=label, min_value=Decimal("0.000001"), max_digits=15, decimal_places=6
            )
        self.order_fields([*asked, "as_of"])

    def assumptions(self) -> Assumptions:
        """What was entered."""
        cleaned = self.cleaned_data
        tiers = {code: cleaned[f"tier_{code}"] for code in self.tiers}
        return Assumptions(tiers, cleaned["as_of"], cleaned.get("exchange_rate"))


@dataclass(frozen=True, slots=True)
class TierRow:
    """A recorded tier's spend, and what comes back of it under either scheme before conditions and limits."""

    name: Words
    spend_minor: int
    in_force: Fraction
    other: Fraction


@dataclass(frozen=True, slots=True)
class Result:
    """The answer with its chart, mean refunds by tenth of spend, and its tiers by name."""

    found: WhatIf
    chart: PairChart
    tiers: tuple[TierRow, ...]


@dataclass(frozen=True, slots=True)
class WhatIfPage:
    """The question as far as it is asked, and the answer once it is. `error` says why there is none."""

    year: int
    in_force: Scheme
    choice: ChoiceForm
    assumptions: AssumptionsForm | None = None
    error: str | Promise = ""
    result: Result | None = None


def what_if_page(year: int, data: Mapping[str, Any], files: Files) -> WhatIfPage:
    """The page of a started year. Raises YearNotStarted."""
    recorded = recorded_year(year)
    choice = ChoiceForm(data or None, files or None)
    scheme = choice.cleaned_data.get("chosen") if choice.is_valid() else None
    if scheme is None:
        return WhatIfPage(year, recorded.in_force, choice)
    assumptions = AssumptionsForm(data, scheme, recorded)
    page = WhatIfPage(year, recorded.in_force, _kept(choice), assumptions)
    if is_too_large(year, scheme):
        return _with_error(page, _("This year has too many residents for a page: use the command simulate_scheme."))
    if not assumptions.is_valid():
        return page
    try:
        found = what_if(year, scheme, assumptions.assumptions())
    except KanpuError as error:
        return _with_error(page, str(error))
    return WhatIfPage(year, recorded.in_force, page.choice, assumptions, result=_result(found))


def is_too_large(year: int, scheme: Scheme) -> bool:
    """Whether the answer would take too long for a request."""
    weight = ENTRIES_WEIGH if measures_purchases(scheme) else 1
    return residents_about(year) * weight > RESIDENTS_AT_MOST


def known_schemes() -> dict[str, str]:
    """Shipped schemes by code, and loaded versions with other content by number, each with its name."""
    shipped = shipped_schemes()
    names = {code: f"{code} – {in_language(scheme.name)}" for code, scheme in shipped.items()}
    known = {digest(scheme) for scheme in shipped.values()}
    versions = SchemeVersion.objects.exclude(sha256__in=known).order_by("code", "-version")
    return names | {f"v:{version.pk}": str(version) for version in versions.only("code", "version")}


def known_scheme(name: str) -> Scheme:
    """The scheme that `known_schemes` has by this name."""
    shipped = shipped_schemes()
    return shipped[name] if name in shipped else SchemeVersion.objects.get(pk=name.removeprefix("v:")).scheme()


@lru_cache(maxsize=1)
def shipped_schemes() -> dict[str, Scheme]:
    """The schemes that come with Kanpu, by code; their files are read once a process."""
    return {path.stem: read_scheme_file(path) for path in sorted(SHIPPED.glob("*.yaml"))}


def _content(file: "UploadedFile[Any] | None", text: str) -> str:
    content = text.encode() if file is None else file.read(FILE_MAX_BYTES + 1)
    if len(content) > FILE_MAX_BYTES:
        raise forms.ValidationError(_("A scheme file has at most 200 kB."))
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError:
        raise forms.ValidationError(_("This is no scheme file.")) from None


def _kept(choice: ChoiceForm) -> ChoiceForm:
    """The form with an uploaded file's content in its text, so that the next question need not ask for it again."""
    file = choice.cleaned_data["file"]
    if file is None:
        return choice
    file.seek(0)
    return ChoiceForm({"scheme": "", "text": file.read().decode()}, None)


def _with_error(page: WhatIfPage, error: str | Promise) -> WhatIfPage:
    return WhatIfPage(page.year, page.in_force, page.choice, page.assumptions, error)


def _result(found: WhatIf) -> Result:
    comparison = found.comparison
    means = [(decile.in_force_mean_minor, decile.other_mean_minor) for decile in comparison.deciles]
    names = {tier.code: tier.name for tier in found.in_force.tiers}
    others = {tier.tier: tier for tier in comparison.other.tiers}
    tiers = []
    for tier in comparison.in_force.tiers:
        other = others.get(tier.tier, OfTier(tier.tier, 0, Fraction(0)))
        tiers.append(TierRow(names[tier.tier], tier.spend_minor, tier.brought, other.brought))
    return Result(found, pair_chart(means), tuple(tiers))
