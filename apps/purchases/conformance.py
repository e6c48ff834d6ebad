"""Accepting a vendor's conformance report, as the kit signed it.

The key that signs is that of a terminal which the kit enrolled, so the report is the vendor's word. What our own
records can tell is checked: the kit's terminals stand where it says, and the named product sold on the vendor's till.
"""

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from apps.kernel.errors import KanpuError
from apps.merchants.models import ConformanceReport, Mode, Terminal
from apps.merchants.operations import record_conformance_report
from apps.merchants.queries import TerminalSeen
from apps.purchases.lanes import lane_of
from apps.purchases.models import Batch, Seal
from apps.purchases.queries import chain_of


class ReportRefused(KanpuError):
    """The report is not what the kit writes, is not signed by its terminal, or does not fit our records."""

    code = "conformance_report_refused"


class _Case(msgspec.Struct, frozen=True):
    name: str
    outcome: str


class _Place(msgspec.Struct, frozen=True):
    """Where a terminal stood: the number to go on with, and the digest before it in base64url."""

    code: str
    next_seq: int
    head: str | None


class _Report(msgspec.Struct, frozen=True):
    vendor: str
    product: str
    version: str
    complete: bool
    cases: list[_Case]
    terminals: list[_Place]
    till: _Place | None

    @property
    def software(self) -> str:
        """What the product sends as Kanpu-Software."""
        return f"{self.vendor}/{self.product}/{self.version}"


class _Signed(msgspec.Struct, frozen=True):
    report: str
    terminal: str
    signature: str


def accept_report(text: str, *, vendor_name: str = "", at: datetime, actor: str) -> ConformanceReport:
    """Keep the report in a file of the kit, for the vendor of that name (by default the one that it names).

    Raises ReportRefused, and VendorUnknown.
    """
    signed, report = _read(text)
    known = _known({signed.terminal, *_codes(report)})
    signer = known.get(signed.terminal)
    if signer is None or signer.public_key is None:
        raise ReportRefused(
            f"No sealed test terminal is called {signed.terminal!r}: was the kit played on this server?"
        )
    _check_signature(signed, signer.public_key)
    _check_outcome(report)
    for place in report.terminals:
        _check_place(place, known, signer)
    _check_till(report, known, signer)
    return record_conformance_report(
        vendor_name or report.vendor, report.product, report.version, text, at=at, actor=actor
    )


def _read(text: str) -> tuple[_Signed, _Report]:
    try:
        signed = msgspec.json.decode(text, type=_Signed)
        return signed, msgspec.json.decode(signed.report, type=_Report)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ReportRefused(f"This is no conformance report: {error}. Send the kit's file as it is.") from error


def _codes(report: _Report) -> list[str]:
    return [place.code for place in [*report.terminals, *([report.till] if report.till else [])]]


def _known(codes: Iterable[str]) -> Mapping[str, TerminalSeen]:
    """The test terminals of these codes: one query."""
    rows = Terminal.objects.filter(code__in=codes, merchant__mode=Mode.TEST)
    return {
        code: TerminalSeen(pk, code, merchant_id, bytes(key) if key else None)
        for pk, code, merchant_id, key in rows.values_list("pk", "code", "merchant_id", "public_key")
    }


def _check_signature(signed: _Signed, public_key: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(_bytes(signed.signature), signed.report.encode())
    except InvalidSignature:
        raise ReportRefused(
            f"The report was changed after it was signed, or not signed with the key of {signed.terminal}."
        ) from None


def _check_outcome(report: _Report) -> None:
    failed = [case.name for case in report.cases if case.outcome != "passed"]
    if failed:
        raise ReportRefused(f"{len(failed)} of {len(report.cases)} cases did not pass, the first: {failed[0]}")
    if not report.complete or not report.cases:
        raise ReportRefused("Not all cases were played: play the kit again without --only.")


def _check_place(place: _Place, known: Mapping[str, TerminalSeen], signer: TerminalSeen) -> None:
    """A terminal of the kit stands where the report says."""
    terminal = _of_same_merchant(place, known, signer)
    chain = chain_of(terminal.id, terminal.code)
    if (place.next_seq, _bytes(place.head)) != (chain.next_seq, chain.head):
        raise ReportRefused(f"{place.code} does not stand where the report says: play the kit again on this server.")


def _check_till(report: _Report, known: Mapping[str, TerminalSeen], signer: TerminalSeen) -> None:
    """The vendor's till was at the place that the report says, and the product it names sold on it."""
    if report.till is None:
        raise ReportRefused("The report shows no till of the vendor's: play the kit again with --till-terminal CODE.")
    till = _of_same_merchant(report.till, known, signer)
    of_till = {"lane": lane_of(till.id), "terminal_id": till.id}
    head = _bytes(report.till.head)
    if not Seal.objects.filter(**of_till, last_seq=report.till.next_seq - 1, head=head).exists():
        raise ReportRefused(f"{till.code} never stood where the report says: play the kit again on this server.")
    if not Batch.objects.filter(**of_till, software=report.software).exists():
        raise ReportRefused(f"Nothing on {till.code} was sent by {report.software}: send it as Kanpu-Software.")


def _of_same_merchant(place: _Place, known: Mapping[str, TerminalSeen], signer: TerminalSeen) -> TerminalSeen:
    terminal = known.get(place.code)
    if terminal is None or terminal.merchant_id != signer.merchant_id:
        raise ReportRefused(f"{place.code} is no test terminal of the merchant for whom the kit was played.")
    return terminal


def _bytes(text: str | None) -> bytes:
    """The bytes of a head or signature; none for what is not base64url, which then fits nothing."""
    try:
        return base64.urlsafe_b64decode((text or "") + "==")
    except ValueError:
        return b""
