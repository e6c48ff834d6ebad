"""The JSON of enrolling: terminals and keys in, what became of them out."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from apps.merchants.catalogue import error_object
from apps.merchants.enrolment import Defect
from apps.merchants.keys import read_public_key
from apps.merchants.operations import Enrolled
from apps.merchants.requests import ApiError

MAX_TERMINALS: Final = 1000

# Degrees as they were written, not as a float has them.
_decoder = msgspec.json.Decoder(float_hook=Decimal)


class KeyRegistration(msgspec.Struct):
    """A till's one-time code and the key it registers, in base64url."""

    enrolment_code: str
    public_key: str

    def read_public_key(self) -> bytes:
        """The key's 32 bytes. Raises ApiError `malformed`."""
        key = read_public_key(self.public_key)
        if key is None:
            raise ApiError("malformed", param="public_key", reason="not 32 bytes in base64url without padding")
        return key


def read_registration(body: bytes) -> KeyRegistration:
    """What a till sends to register its key. Raises ApiError `malformed`."""
    try:
        return msgspec.json.decode(body, type=KeyRegistration)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ApiError("malformed", reason=str(error)) from error


class EnrolmentRequest(msgspec.Struct):
    """One terminal or several, still as sent, and the merchant's number if it is named."""

    terminals: list[Any]
    many: bool
    merchant: int | None


def read_enrolment(body: bytes) -> EnrolmentRequest:
    """What enrols terminals. Raises ApiError `malformed` or `batch_too_large`."""
    try:
        fields = msgspec.convert(_decoder.decode(body), dict[str, Any])
        merchant = msgspec.convert(fields.get("merchant"), int | None)
        terminals = msgspec.convert(fields.get("terminals", [fields]), list[Any])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ApiError("malformed", reason=str(error)) from error
    if len(terminals) > MAX_TERMINALS:
        raise ApiError("batch_too_large", param="terminals")
    return EnrolmentRequest(terminals, "terminals" in fields, merchant)


def enrolment_json(request: EnrolmentRequest, results: Sequence[Enrolled]) -> dict[str, Any]:
    """The 200's body: what became of each terminal, in the order sent."""
    return {
        "enrolled": sum(result.status == "enrolled" for result in results),
        "rejected": sum(result.status == "rejected" for result in results),
        "results": [_result_json(request, index, result) for index, result in enumerate(results)],
    }


def _result_json(request: EnrolmentRequest, index: int, result: Enrolled) -> dict[str, Any]:
    answer: dict[str, Any] = {"index": index, "code": _code_sent(request.terminals[index]), "status": result.status}
    if result.issued:
        answer["enrolment_code"] = result.issued.enrolment_code
        answer["enrolment_code_expires_at"] = result.issued.expires_at.isoformat()
    if result.defect:
        answer["error"] = _error(result.defect, f"terminals[{index}]" if request.many else "")
    return answer


def _code_sent(terminal: object) -> str | None:
    code = terminal.get("code") if isinstance(terminal, dict) else None
    return code[:63] if isinstance(code, str) else None


def _error(defect: Defect, place: str) -> dict[str, str]:
    param = ".".join(part for part in (place, defect.param) if part)
    return error_object(defect.code, param=param, value=defect.value, reason=defect.reason)
