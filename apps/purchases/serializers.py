"""The protocol's JSON: a batch's envelope in, its results out."""

from typing import Any, Final

import msgspec

from apps.purchases.catalogue import error_object
from apps.purchases.operations import Answer, Refusal
from apps.purchases.requests import ApiError

MAX_RECORDS: Final = 1000


class Envelope(msgspec.Struct, frozen=True):
    """A batch, its records still as sent."""

    terminal: str
    purchases: list[msgspec.Raw]


_decoder = msgspec.json.Decoder(Envelope)


def read_envelope(body: bytes) -> Envelope:
    """The batch in a request's body. Raises ApiError `malformed` or `batch_too_large`."""
    try:
        envelope = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("malformed", reason=str(error)) from error
    if len(envelope.purchases) > MAX_RECORDS:
        raise ApiError("batch_too_large", param="purchases")
    return envelope


def answer_json(answer: Answer) -> dict[str, Any]:
    """The 200's body; `results` lists what was not newly accepted, in the order sent."""
    decided = answer.decided
    results = [{"index": index, "seq": seq, "status": "duplicate"} for index, seq in decided.duplicates]
    results += [_refusal_json(refusal) for refusal in decided.refusals]
    return {
        "accepted": len(decided.accepted),
        "duplicates": len(decided.duplicates),
        "rejected": len(decided.refusals),
        "results": sorted(results, key=lambda result: result["index"]),
        "terminal": {"next_seq": answer.next_seq, "missing": answer.missing},
    }


def _refusal_json(refusal: Refusal) -> dict[str, Any]:
    defect = refusal.defect
    place = f"purchases[{refusal.index}]"
    param = f"{place}.{defect.param}" if defect.param else place
    error = error_object(defect.code, param=param, value=defect.value, reason=refusal.reason)
    return {"index": refusal.index, "seq": refusal.seq, "status": "rejected", "error": error}
