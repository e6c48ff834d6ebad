"""Merchants: how completely they report, what they sell, and which amounts."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.console.guard import auditors_only
from apps.console.queries.merchants import (
    MerchantMissing,
    amounts_page,
    chosen_year,
    merchant_page,
    merchants_page,
)


@auditors_only
@require_safe
def merchants(request: HttpRequest) -> HttpResponse:
    """All live merchants of a year, those with the lowest score first."""
    asked = request.GET
    try:
        found = merchants_page(year=asked.get("year", ""), sort=asked.get("sort", ""), page=asked.get("page"))
    except MerchantMissing as error:
        raise Http404(str(error)) from error
    return render(request, "console/merchants.html", {"found": found})


@auditors_only
@require_safe
def merchant(request: HttpRequest, merchant_id: int) -> HttpResponse:
    """One merchant's year."""
    try:
        found = merchant_page(merchant_id, year=request.GET.get("year", ""))
    except MerchantMissing as error:
        raise Http404(str(error)) from error
    return render(request, "console/merchant.html", {"found": found})


@auditors_only
@require_safe
def amounts(request: HttpRequest) -> HttpResponse:
    """The amounts of all live merchants' sales of a year."""
    try:
        year, years = chosen_year(request.GET.get("year", ""))
    except MerchantMissing as error:
        raise Http404(str(error)) from error
    return render(request, "console/amounts.html", {"found": amounts_page(None, year, years)})
