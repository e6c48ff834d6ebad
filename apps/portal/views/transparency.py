"""What everybody may know of the whole, without a sign-in: as a page, and for machines."""

import re
from datetime import date

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from apps.portal.queries.transparency import FEW, KEPT_S, Transparency, YearFigures
from apps.portal.queries.transparency import transparency as found_for
from apps.portal.transparency_words import NOT_SEEN, PROTECTED, RULES, THINGS
from apps.portal.transparency_words import ROLES as ROLE_WORDS

SHOWN = 200  # offices and purposes; a machine gets all


@require_safe
def transparency(request: HttpRequest) -> HttpResponse:
    """Who may see what, how often officers looked, what was refunded, what it costs, and what nobody sees."""
    found = found_for(_month(request))
    shown = {
        "found": found,
        "may": [(THINGS[thing], [ROLE_WORDS[role] for role in roles]) for thing, roles in found.may.items()],
        "accesses": found.accesses[:SHOWN],
        "more": max(len(found.accesses) - SHOWN, 0),
        "few": FEW,
        "rules": RULES,
        "protected": PROTECTED,
        "not_seen": NOT_SEEN,
        "delayed": sum(found.delayed.values()),
    }
    return render(request, "portal/transparency.html", shown)


@require_safe
@cache_control(public=True, max_age=KEPT_S)
def transparency_json(request: HttpRequest) -> HttpResponse:
    """The same for machines."""
    return JsonResponse(_as_json(found_for(_month(request))))


def _month(request: HttpRequest) -> date | None:
    """The month that was asked for, as 2026-11."""
    match = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", request.GET.get("month", ""), re.ASCII)
    return date(int(match[1]), int(match[2]), 1) if match and match[1] != "0000" else None


def _as_json(found: Transparency) -> dict[str, object]:
    return {
        "may_open": found.may,
        "month": f"{found.month:%Y-%m}",
        "months": [f"{month:%Y-%m}" for month in found.months],
        "accesses": [
            {"office": row.office, "purpose": row.purpose, "accesses": row.accesses, "fewer_than": _few(row.accesses)}
            for row in found.accesses
        ],
        "delayed_notices": found.delayed,
        "audit_log": {"entries": found.log_size, "signed_at": found.log_at},
        "years": [_year_json(year) for year in found.years],
        "published": [run._asdict() for run in found.published],
        "cannot_see": [str(words) for words in NOT_SEEN],
    }


def _few(accesses: int | None) -> int | None:
    return FEW if accesses is None else None


def _year_json(year: YearFigures) -> dict[str, object]:
    kept = {name: value for name, value in year._asdict().items() if name != "scheme"}
    made = {"left_minor": year.left_minor, "cost_each_minor": year.cost_each_minor}
    return {**kept, **made, "currency": year.scheme.currency}
