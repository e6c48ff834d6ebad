"""The protocol's JSON: a batch's envelope in, its results out."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from apps.merchants.catalogue import error_object
from apps.merchants.queries import TerminalDetail
from apps.merchants.requests import ApiError
from apps.purchases.acceptance import Defect
from apps.purchases.chain import Seal
from apps.purchases.closings import differences
from apps.purchases.decisions import Duplicate, Refusal
from apps.purchases.operations import Answer
from apps.purchases.paging import cursor_text
from apps.purchases.queries import ChainState, ClosingSeen
from apps.purchases.reading import RecordSeen
from apps.purchases.records import read_line
from apps.schemes.document import Scheme, Words
from apps.schemes.rates import rate_on

MAX_RECORDS: Final = 1000


class Envelope(msgspec.Struct, frozen=True):
    """A batch, its records still as sent."""

    terminal: str
    purchases: list[msgspec.Raw]
    seal: "SentSeal | None" = None

    def read_seal(self) -> Seal | None:
        """The seal's bytes: none for a spelling that no head or signature has, so that they fit nothing."""
        if self.seal is None:
            return None
        return Seal(_bytes(self.seal.head, size=32), _bytes(self.seal.signature, size=64))


class SentSeal(msgspec.Struct, frozen=True):
    """A seal as sent: base64url."""

    head: str
    signature: str


def bytes_text(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str, *, size: int) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:  # binascii.Error is one; so are characters beyond ASCII
        data = b""
    return data if len(data) == size and bytes_text(data) == text else b""


_decoder = msgspec.json.Decoder(Envelope)


def _decode(body: bytes) -> Envelope:
    """The batch. A lone surrogate in one record is its own fault, though the fast decoder refuses the whole body."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        content = json.loads(body, parse_constant=_refuse_constant)
        if isinstance(content, dict) and isinstance(content.get("purchases"), list):
            content["purchases"] = [msgspec.Raw(json.dumps(record).encode()) for record in content["purchases"]]
        return msgspec.convert(content, Envelope)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def read_envelope(body: bytes) -> Envelope:
    """The batch in a request's body. Raises ApiError `malformed` or `batch_too_large`."""
    try:
        envelope = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ApiError("malformed", reason=str(error)) from error
    if len(envelope.purchases) > MAX_RECORDS:
        raise ApiError("batch_too_large", param="purchases")
    return envelope


def answer_json(answer: Answer) -> dict[str, Any]:
    """The 200's body; `results` lists what was not newly accepted, in the order sent."""
    decided = answer.decided
    results = [_duplicate_json(duplicate) for duplicate in decided.duplicates]
    results += [_refusal_json(refusal) for refusal in decided.refusals]
    return {
        "accepted": len(decided.accepted),
        "duplicates": len(decided.duplicates),
        "rejected": len(decided.refusals),
        "results": sorted(results, key=lambda result: result["index"]),
        "terminal": {"next_seq": answer.next_seq, "missing": answer.missing},
    }


def _duplicate_json(duplicate: Duplicate) -> dict[str, Any]:
    """A known record; with the reason, if the one that stands was refused: the first answer may have been lost."""
    result: dict[str, Any] = {"index": duplicate.index, "seq": duplicate.seq, "status": "duplicate"}
    if duplicate.defect:
        result["error"] = _error(duplicate.index, duplicate.defect)
    return result


def _refusal_json(refusal: Refusal) -> dict[str, Any]:
    error = _error(refusal.index, refusal.defect)
    return {"index": refusal.index, "seq": refusal.seq, "status": "rejected", "error": error}


def _error(index: int, defect: Defect) -> dict[str, str]:
    param = f"purchases[{index}].{defect.param}" if defect.param else f"purchases[{index}]"
    return error_object(defect.code, param=param, value=defect.value, reason=defect.reason)


def page_json(records: Sequence[RecordSeen], terminals: Mapping[int, str], limit: int) -> dict[str, Any]:
    """A page of records; one more than `limit` tells that there is another page."""
    page = records[:limit]
    more = len(records) > limit
    return {
        "purchases": [_record_json(record, terminals[record.key.terminal_id]) for record in page],
        "next_cursor": cursor_text(page[-1].key) if more else None,
    }


def _record_json(record: RecordSeen, terminal: str) -> dict[str, Any]:
    return {
        "terminal": terminal,
        "seq": record.key.seq,
        **_sent_json(record.line),
        "status": record.status,
        "error": _seen_error(record.defect) if record.defect else None,
        "received_at": record.received_at.isoformat(),
        "changed_at": record.changed_at.isoformat(),
    }


def _sent_json(line: str | None) -> dict[str, Any]:
    """The record as it was sent, without card or claim; empty for one that has not the shape of a record."""
    try:
        sent = read_line(line or "")
    except ValueError:
        return {"kind": None, "at": None, "of": None, "lines": []}
    return {
        "kind": sent.kind,
        "at": sent.at,
        "of": {"terminal": sent.of_terminal, "seq": sent.of_seq} if sent.of_seq else None,
        "lines": [{"tier": tier, "amount": amount} for tier, amount in sent.amounts.items()],
    }


def _seen_error(defect: Defect) -> dict[str, str]:
    return error_object(defect.code, param=defect.param, value=defect.value, reason=defect.reason)


def terminal_json(terminal: TerminalDetail, chain: ChainState, closing: ClosingSeen | None) -> dict[str, Any]:
    """Where a terminal stands."""
    return {
        "code": terminal.code,
        "store": terminal.store,
        "region": terminal.region,
        "enrolled_at": terminal.enrolled_at.isoformat(),
        "sealed": terminal.sealed,
        "next_seq": chain.next_seq,
        "head": bytes_text(chain.head) if terminal.sealed else None,
        "missing": chain.missing,
        "last_closing": closing and _closing_json(closing),
        "replaced_by": terminal.replaced_by,
    }


def _closing_json(closing: ClosingSeen) -> dict[str, Any]:
    found = differences(closing.reported, closing.recorded or {}) if closing.agrees is False else []
    return {
        "seq": closing.seq,
        "at": closing.at.isoformat(),
        "year": closing.tax_year,
        "agrees": closing.agrees,
        "differences": [{"tier": tier, "reported": said, "recorded": kept} for tier, said, kept in found],
    }


def tiers_json(scheme: Scheme, day: date) -> dict[str, Any]:
    """The tiers of a scheme that have a rate on a day."""
    rated = [(tier, rate_on(tier.rates, day)) for tier in scheme.tiers]
    return {
        "on": day.isoformat(),
        "scheme": scheme.code,
        "currency": scheme.currency,
        "minor_unit_digits": scheme.minor_unit_digits,
        "time_zone": scheme.time_zone,
        "collected": str(rate_on(scheme.collected, day)),
        "tiers": [
            {"code": tier.code, "rate": str(rate), "name": _words(tier.name), "examples": _words(tier.examples)}
            for tier, rate in rated
            if rate is not None
        ],
    }


def _words(words: Words) -> dict[str, str]:
    return {"ja": words.ja, "en": words.en}
