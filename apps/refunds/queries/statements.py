"""A resident's refunds: the kept numbers, their explanation, and the statement with its proof."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, SmallIntegerField, UUIDField
from django.utils import timezone

from apps.accruals.queries import ResidentYear
from apps.kernel.database import Ask, Place, Row, Statement, from_rows, sql_of
from apps.kernel.errors import KanpuError
from apps.refunds.assessment import Assessment, Cut, assess
from apps.refunds.deadlines import lapses_on
from apps.refunds.leaves import FORMAT
from apps.refunds.models import EFFECTIVE, Refund, Run, RunState
from apps.refunds.queries.people import person_of
from apps.refunds.queries.proofs import proof_of
from apps.refunds.queries.runs import run_of
from apps.refunds.rules import Rules, rules_of
from apps.refunds.words import Explanation, Numbers, explain
from apps.schemes.document import Scheme, Words
from apps.schemes.models import SchemeVersion, TaxYear
from apps.schemes.queries import OpenYear, scheme_of

PROVED = (RunState.VERIFIED, *EFFECTIVE)


class StatementMissing(KanpuError):
    """The resident has no statement in this run, or the run is not verified yet."""

    code = "statement_missing"


def refund_of(resident_ref: UUID, year: int) -> Refund | None:
    """The resident's refund in the newest run that has one: one query."""
    return Refund.objects.filter(resident_ref=resident_ref, tax_year=year).order_by("-run").first()


def newest_refunds(refs: Collection[UUID], year: int) -> dict[UUID, Refund]:
    """The refunds of these residents in the newest run that has one of theirs: one query."""
    rows = Refund.objects.filter(resident_ref__in=refs, tax_year=year).order_by("resident_ref", "run")
    return {refund.resident_ref: refund for refund in rows}


def refunds_of(resident_ref: UUID, year: int) -> list[tuple[Refund, Run]]:
    """The resident's refunds of a year with their runs, the newest first: two queries."""
    return with_runs(list(_of_year(resident_ref, year)), year)


def ask_refunds(resident_ref: UUID, year: int) -> Ask:
    """The resident's refunds of a year, for a page that asks for other things in the same trip: see `refunds_in`."""
    return Ask(_refunds(), (str(resident_ref), year))


def refunds_in(rows: Sequence[Row]) -> list[Refund]:
    """The refunds in the rows of `ask_refunds`, the newest first."""
    return from_rows(Refund, rows)


def with_runs(refunds: Sequence[Refund], year: int) -> list[tuple[Refund, Run]]:
    """A year's refunds with their runs: one query, none without any."""
    numbers = [refund.run for refund in refunds]
    found = Run.objects.filter(tax_year_id=year, number__in=numbers).defer("differences") if numbers else []
    runs = {run.number: run for run in found}
    return [(refund, runs[refund.run]) for refund in refunds]


@cache
def _refunds() -> Statement:
    return Statement(sql_of(_of_year(Place(1, UUIDField()), Place(2, SmallIntegerField()))))


def _of_year(resident_ref: UUID | Place, year: int | Place) -> "QuerySet[Refund]":
    return Refund.objects.filter(resident_ref=resident_ref, tax_year=year).order_by("-run")


def numbers_of(refund: Refund) -> Numbers:
    """The kept numbers of a refund."""
    flat = [int(number) for number in refund.cuts]
    cuts = [Cut(*flat[at : at + 4]) for at in range(0, len(flat), 4)]
    return Numbers(refund.spend_minor, refund.bases_minor, cuts, refund.entitled_minor)


def explanation_of(refund: Refund) -> Explanation:
    """A refund in words, under the scheme version it names."""
    rules = rules_under(refund.scheme_version, refund.tax_year)
    return explain(scheme_of(refund.scheme_version), rules, numbers_of(refund))


@lru_cache(maxsize=64)
def rules_under(scheme_version_id: int, year: int) -> Rules:
    """The rules of a year under a scheme version. Versions are immutable, so they are made once a process."""
    return rules_of(scheme_of(scheme_version_id), year)


def assessment_so_far(bought: ResidentYear, year: TaxYear | OpenYear) -> tuple[Rules, Assessment]:
    """What a resident would get back if the year ended now, alone: a household's sharing is left out."""
    rules = rules_under(year.scheme_version_id, year.year)
    return rules, assess(person_of(bought), rules)


def statement_of(resident_ref: UUID, year: int, number: int) -> Mapping[str, Any]:
    """The statement of a resident's refund in a run, with its proof, as docs/year-end.md says.

    Raises RunMissing and StatementMissing.
    """
    run = run_of(year, number)
    refund = Refund.objects.filter(resident_ref=resident_ref, tax_year=year, run=number).first()
    if refund is None or run.state not in PROVED:
        raise StatementMissing(f"There is no verified statement of {year}, run {number}, for this resident yet.")
    version = SchemeVersion.objects.get(pk=refund.scheme_version)
    scheme = scheme_of(version.pk)
    rules = rules_of(scheme, year)
    approved_on = timezone.localdate(run.signed_2_at) if run.signed_2_at else None
    return {
        "format": FORMAT,
        "resident_ref": str(resident_ref),
        "year": year,
        "run": number,
        "scheme": _scheme_json(version, scheme),
        "currency": scheme.currency,
        "minor_unit_digits": scheme.minor_unit_digits,
        "entitled_minor": refund.entitled_minor,
        "earlier_minor": refund.earlier_minor,
        "due_minor": refund.due_minor,
        **_numbers_json(scheme, rules, numbers_of(refund)),
        "denominator": rules.denominator,
        "proof": proof_of(run, resident_ref),
        "run_digest": run.digest,
        "state": run.state,
        "approved_date": approved_on and approved_on.isoformat(),
        "claim_until": approved_on and lapses_on(approved_on, scheme.lapse.after_years).isoformat(),
    }


def _scheme_json(version: SchemeVersion, scheme: Scheme) -> dict[str, Any]:
    return {
        "code": version.code,
        "version": version.version,
        "sha256": version.sha256,
        "name": _words_json(scheme.name),
        "reference": _words_json(scheme.reference),
    }


def _numbers_json(scheme: Scheme, rules: Rules, numbers: Numbers) -> dict[str, Any]:
    explanation = explain(scheme, rules, numbers)
    words = {line.rate: line.words(scheme) for line in explanation.lines}
    tiers = {tier.code: tier.name for tier in scheme.tiers}
    bases: Sequence[int | None] = numbers.bases_minor or [None] * len(rules.lines)
    return {
        "lines": [
            {
                "tier": line.tier,
                "name": _words_json(tiers[line.tier]),
                "first_month": line.first_month,
                "last_month": line.last_month,
                "spend_minor": spend,
                "base_minor": base,
                "share": [line.share.numerator, line.share.denominator],
                "words": _words_json(words[line]) if line in words else {"ja": "—", "en": "—"},
            }
            for line, spend, base in zip(rules.lines, numbers.spend_minor, bases, strict=True)
        ],
        "cuts": [_cut_json(rules, cut) for cut in numbers.cuts],
        "steps": [_words_json(step.words) for step in explanation.steps],
    }


def _cut_json(rules: Rules, cut: Cut) -> dict[str, Any]:
    """A cut with the period and the unit that its rule is for; eligibility is a person's, for the year."""
    limit = rules.refund.limits[cut.rule] if cut.rule >= 0 else None
    place = {"per": limit.per, "for": "person" if limit.unit == "person" else "household"} if limit else {}
    return cut._asdict() | place


def _words_json(words: Words) -> dict[str, str]:
    return {"ja": words.ja, "en": words.en}
