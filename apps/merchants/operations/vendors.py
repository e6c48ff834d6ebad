"""Makers of till software: whom they report for, and what proves that they do it right."""

import hashlib
from datetime import datetime

from django.db import IntegrityError, transaction

from apps.audit.operations import JsonObject, record_event
from apps.audit.states import Change
from apps.merchants.models import ConformanceReport, Merchant, Vendor, VendorAuthorisation
from apps.merchants.operations.merchants import MerchantInvalid
from apps.merchants.queries import find_vendor


@transaction.atomic
def create_vendor(name: str, *, conformance_required: bool = True, at: datetime, actor: str) -> Vendor:
    """A new maker of till software. Raises MerchantInvalid when the name is taken."""
    try:
        with transaction.atomic():
            vendor = Vendor.objects.create(name=name, conformance_required=conformance_required)
    except IntegrityError as error:
        raise MerchantInvalid(f"A vendor {name!r} is on record. Use it, or choose another name.") from error
    made: dict[str, object] = {"name": name, "conformance_required": conformance_required}
    _record("vendor.create", vendor, made, {"before": {}, "after": made}, at=at, actor=actor)
    return vendor


@transaction.atomic
def authorise_vendor(vendor: Vendor, merchant: Merchant, *, at: datetime, actor: str) -> bool:
    """Let a vendor's keys report for the merchant, until it is withdrawn. False if they could before."""
    _, new = VendorAuthorisation.objects.get_or_create(
        vendor=vendor, merchant=merchant, withdrawn_at=None, defaults={"authorised_at": at}
    )
    if new:
        change: Change = {"before": {"authorised_at": None}, "after": {"authorised_at": at}}
        _record("vendor.authorise", vendor, {"merchant": merchant.pk}, change, at=at, actor=actor)
    return new


@transaction.atomic
def withdraw_authorisation(vendor: Vendor, merchant: Merchant, *, at: datetime, actor: str) -> bool:
    """Take a merchant's authorisation back. False if there was none."""
    found = VendorAuthorisation.objects.filter(vendor=vendor, merchant=merchant, withdrawn_at=None)
    withdrawn = found.update(withdrawn_at=at)
    if withdrawn:
        change: Change = {"before": {"withdrawn_at": None}, "after": {"withdrawn_at": at}}
        _record("vendor.withdraw", vendor, {"merchant": merchant.pk}, change, at=at, actor=actor)
    return bool(withdrawn)


@transaction.atomic
def record_conformance_report(
    vendor_name: str, product: str, version: str, report_text: str, *, at: datetime, actor: str
) -> ConformanceReport:
    """Keep what the conformance kit found about a vendor's product; the same report again is the one on record.

    Raises VendorUnknown.
    """
    vendor = find_vendor(vendor_name)
    digest = hashlib.sha256(report_text.encode()).digest()
    report, new = ConformanceReport.objects.get_or_create(
        vendor=vendor,
        sha256=digest,
        defaults={"product": product, "version": version, "report": report_text, "accepted_at": at},
    )
    if new:
        detail: dict[str, object] = {"product": product, "version": version, "sha256": digest.hex()}
        _record("vendor.conformance", vendor, detail, {"before": {}, "after": detail}, at=at, actor=actor)
    return report


def _record(action: str, vendor: Vendor, detail: JsonObject, change: Change, *, at: datetime, actor: str) -> None:
    record_event(at=at, actor=actor, action=action, subject=f"vendor:{vendor.pk}", detail=detail, **change)
