"""The protocol's JSON: a batch's envelope in, its results out."""

import base64
import json
from typing import Any, Final

import msgspec

from apps.merchants.catalogue import error_object
from apps.merchants.requests import ApiError
from apps.purchases.acceptance import Defect
from apps.purchases.chain import Seal
from apps.purchases.decisions import Duplicate, Refusal
from apps.purchases.operations import Answer

MAX_RECORDS: Final = 1000


class Envelope(msgspec.Struct, frozen=True):
    """A batch, its records still as sent."""

    terminal: str
    purchases: list[msgspec.Raw]
    seal: "SentSeal | None" = None

    def read_seal(self) -> Seal | None:
        """The seal's bytes. Raises ApiError `seal_mismatch` for a spelling that no head or signature has."""
        if self.seal is None:
            return None
        return Seal(
            _bytes(self.seal.head, size=32, param="seal.head"),
            _bytes(self.seal.signature, size=64, param="seal.signature"),
        )


class SentSeal(msgspec.Struct, frozen=True):
    """A seal as sent: base64url."""

    head: str
    signature: str


def bytes_text(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str, *, size: int, param: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:  # binascii.Error is one; so are characters beyond ASCII
        data = b""
    if len(data) != size or bytes_text(data) != text:
        raise ApiError("seal_mismatch", param=param, reason=f"not {size} bytes in base64url without padding")
    return data


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
