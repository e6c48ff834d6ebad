"""The protocol's JSON: a batch's envelope in, its results out."""

import json
from typing import Any, Final

import msgspec

from apps.merchants.catalogue import error_object
from apps.merchants.requests import ApiError
from apps.purchases.decisions import Duplicate, Refusal
from apps.purchases.operations import Answer
from apps.purchases.records import Defect

MAX_RECORDS: Final = 1000


class Envelope(msgspec.Struct, frozen=True):
    """A batch, its records still as sent."""

    terminal: str
    purchases: list[msgspec.Raw]


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
    error = _error(refusal.index, refusal.defect, refusal.reason)
    return {"index": refusal.index, "seq": refusal.seq, "status": "rejected", "error": error}


def _error(index: int, defect: Defect, reason: str = "") -> dict[str, str]:
    param = f"purchases[{index}].{defect.param}" if defect.param else f"purchases[{index}]"
    return error_object(defect.code, param=param, value=defect.value, reason=reason)
