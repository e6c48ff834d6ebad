"""The parts of the OpenAPI document that all addresses share, and the addresses at which terminals are enrolled.

An operation is written as the OpenAPI object that it is. Errors and their examples come from the catalogue, in the
reader's language.
"""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from django.utils.functional import lazy

from apps.merchants.catalogue import CATALOGUE, error_object
from apps.merchants.keys import CODE_LENGTH, CROCKFORD, TERMINAL_CODE

Json = dict[str, Any]

MAX_TERMINALS: Final = 1000
JSON: Final = "application/json"


class Sample(NamedTuple):
    """What an example of an error fills in."""

    param: str = ""
    value: str = ""
    reason: str = ""


SAMPLES: Final = {
    "malformed": Sample(reason="Object missing required field `terminal`"),
    "terminal_not_yours": Sample("terminal", "tokyo-0001-03"),
    "scope_missing": Sample(value="report"),
    "merchant_not_yours": Sample("merchant", "12"),
    "enrolment_code_invalid": Sample("enrolment_code"),
    "batch_too_large": Sample("purchases"),
    "seal_missing": Sample("seal"),
    "chain_broken": Sample(value="1045"),
    "seal_mismatch": Sample("seal", reason="the head is not the digest after the last record"),
    "rate_limited": Sample(value="4"),
    "seq_conflict": Sample("purchases[0].seq", "1042"),
    "record_malformed": Sample("purchases[0].lines", reason="a tier may stand only once in a record"),
    "year_not_open": Sample("purchases[0].at", "2003-04-03T09:30:00+09:00"),
    "year_closed": Sample("purchases[0].at", "2015"),
    "from_the_future": Sample("purchases[0].at", "2047-04-03T09:30:00+09:00"),
    "tier_unknown": Sample("purchases[0].lines[1].tier", "foood"),
    "tier_not_in_force": Sample("purchases[0].lines[1].tier", "reduced"),
    "amount_invalid": Sample("purchases[0].lines[0].amount", "0"),
    "card_and_claim": Sample("purchases[0].claim"),
    "terminal_invalid": Sample("terminals[0].latitude", reason="latitude and longitude come together"),
    "terminal_code_taken": Sample("terminals[0].code", "tokyo-0001-03"),
    "return_exceeds_sale": Sample(value="reduced=540"),
}


def _message(code: str) -> str:
    sample = SAMPLES.get(code, Sample())
    return error_object(code, value=sample.value, reason=sample.reason)["message"]


_message_later = lazy(_message, str)


def error_example(code: str) -> Json:
    """The error object of a code as an answer may bear it, its message in the language of the document's reader."""
    sample = SAMPLES.get(code, Sample())
    place = {"param": sample.param} if sample.param else {}
    return {"code": code, "message": _message_later(code), **place, "doc_url": f"/docs/errors#{code}"}


# --- schemas -----------------------------------------------------------------------------------------------

TERMINAL: Final[Json] = {"type": "string", "pattern": f"^{TERMINAL_CODE.pattern}$", "examples": ["tokyo-0001-03"]}
BYTES_32: Final[Json] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"}
WHEN: Final[Json] = {"type": "string", "format": "date-time", "examples": ["2017-04-03T09:30:00+09:00"]}
WORDS: Final[Json] = {
    "type": "object",
    "required": ["ja", "en"],
    "additionalProperties": False,
    "properties": {"ja": {"type": "string"}, "en": {"type": "string"}},
}
ENROLMENT_CODE: Final[Json] = {"type": "string", "pattern": f"^[{CROCKFORD}]{{{CODE_LENGTH}}}$"}
PUBLIC_KEY_EXAMPLE: Final = "QGocUrbhE0hclsYD96NLWQ_StB-EUOiC3lCVPTKCZ2Q"


def exactly(properties: Mapping[str, Json], *, optional: Collection[str] = (), **more: Any) -> Json:
    """An object of these properties and no others, all of them there but the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties, **more}


def error_schema(codes: Collection[str], **more: Json) -> Json:
    """The error object with one of these codes."""
    properties: Json = {
        "code": {"type": "string", "enum": sorted(codes)},
        "message": {"type": "string", "description": "In the language that Accept-Language asks for: ja or en."},
        "doc_url": {"type": "string", "format": "uri-reference"},
        "param": {"type": "string", "description": "The place of the fault in what was sent."},
    }
    return exactly(properties | more, optional=["param", *more])


# --- operations --------------------------------------------------------------------------------------------

REQUEST_ID: Final[Json] = {
    "Request-Id": {
        "required": True,
        "description": "The request's number; name it when you ask us.",
        "schema": {"type": "string", "format": "uuid"},
    }
}
WAIT: Final[Json] = {
    "Retry-After": {
        "required": True,
        "description": "Seconds after which to send the same again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
ANYWHERE: Final = ("malformed", "https_required", "not_found", "method_not_allowed", "unavailable")
WITH_KEY: Final = ("key_invalid", "rate_limited")
WITH_BODY: Final = ("batch_too_large", "unsupported_media_type")
LANGUAGE: Final[Json] = {
    "name": "Accept-Language",
    "in": "header",
    "description": "The language of messages: ja (taken if nothing else fits) or en.",
    "schema": {"type": "string", "examples": ["en"]},
}


def operation(
    name: str,
    summary: str,
    description: str,
    *,
    tag: str,
    answer: Json,
    errors: Collection[str] = (),
    parameters: Collection[Json] = (),
    body: Json | None = None,
    with_key: bool = True,
) -> Json:
    """An operation: `answer` is its 200, `errors` the codes beyond those that belong to any request of its form."""
    codes = [*ANYWHERE, *(WITH_KEY if with_key else ()), *(WITH_BODY if body else ()), *errors]
    return {
        "operationId": name,
        "summary": summary,
        "description": description,
        "tags": [tag],
        "security": [{"key": []}] if with_key else [{}],
        "parameters": [*parameters, LANGUAGE],
        **({"requestBody": {"required": True, "content": {JSON: body}}} if body else {}),
        "responses": {"200": answer, **_error_answers(codes)},
    }


def answer(
    description: str, schema: Json, examples: Mapping[str, Any], links: Mapping[str, Json] | None = None
) -> Json:
    """A 200 of JSON."""
    return {
        "description": description,
        "headers": REQUEST_ID,
        "content": {JSON: {"schema": schema, "examples": _values(examples)}},
        **({"links": links} if links else {}),
    }


def body(schema: Json, examples: Mapping[str, Any]) -> Json:
    """What is sent, as JSON."""
    return {"schema": schema, "examples": _values(examples)}


def _values(examples: Mapping[str, Any]) -> Json:
    return {name: {"value": value} for name, value in examples.items()}


def _error_answers(codes: Collection[str]) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CATALOGUE[code].status, []).append(code)
    return {str(status): _error_answer(status, found) for status, found in sorted(by_status.items())}


def _error_answer(status: int, codes: Collection[str]) -> Json:
    more = CHAIN if "chain_broken" in codes else {}
    examples = {code: {"error": error_example(code)} for code in codes}
    if "chain_broken" in codes:
        examples["chain_broken"]["error"] |= {"next_seq": 1045, "head": PUBLIC_KEY_EXAMPLE}
    return {
        "description": HTTPStatus(status).phrase,
        "headers": REQUEST_ID | (WAIT if status in (429, 503) else {}),
        "content": {JSON: {"schema": exactly({"error": error_schema(codes, **more)}), "examples": _values(examples)}},
    }


CHAIN: Final[Json] = {
    "next_seq": {"type": "integer", "minimum": 1, "description": "chain_broken: the number to go on with."},
    "head": BYTES_32 | {"description": "chain_broken: the digest before that number."},
}


# --- enrolling ---------------------------------------------------------------------------------------------

CODE_IN_PATH: Final[Json] = {"name": "code", "in": "path", "required": True, "schema": TERMINAL}
NEW_TERMINAL: Final[Json] = {
    "type": "object",
    "required": ["code", "store"],
    "properties": {
        "code": TERMINAL | {"description": "Unique over all merchants and modes, and never used again."},
        "store": {
            "type": "string",
            "pattern": "^[^\\x00-\\x1f\\x7f]*[^\\x00-\\x20\\x7f][^\\x00-\\x1f\\x7f]*$",
            "maxLength": 200,
            "examples": ["Shibuya"],
        },
        "region": {"type": ["string", "null"], "pattern": "^[0-9A-Za-z-]*$", "maxLength": 8, "examples": ["13"]},
        "latitude": {"type": ["number", "null"], "minimum": -90, "maximum": 90, "examples": [35.65858]},
        "longitude": {"type": ["number", "null"], "minimum": -180, "maximum": 180, "examples": [139.74543]},
        "public_key": BYTES_32
        | {"type": ["string", "null"], "description": "Ed25519: the terminal seals its batches from its first on."},
        "replaces": TERMINAL
        | {"type": ["string", "null"], "description": "The code of the till whose place it takes."},
    },
    "dependentRequired": {"latitude": ["longitude"], "longitude": ["latitude"]},
}
MERCHANT: Final[Json] = {"type": ["integer", "null"], "description": "Only with a vendor's key: for whom."}
ENROLMENT: Final[Json] = {
    "anyOf": [
        {
            "type": "object",
            "required": ["terminals"],
            "properties": {
                "terminals": {"type": "array", "maxItems": MAX_TERMINALS, "items": NEW_TERMINAL},
                "merchant": MERCHANT,
            },
        },
        NEW_TERMINAL
        | {"properties": NEW_TERMINAL["properties"] | {"merchant": MERCHANT}, "not": {"required": ["terminals"]}},
    ]
}
OF_ONE_TERMINAL: Final = ("terminal_invalid", "terminal_code_taken")
ENROLLED: Final[Json] = exactly(
    {
        "enrolled": {"type": "integer", "minimum": 0},
        "rejected": {"type": "integer", "minimum": 0},
        "results": {
            "type": "array",
            "items": exactly(
                {
                    "index": {"type": "integer", "minimum": 0},
                    "code": {"type": ["string", "null"]},
                    "status": {"type": "string", "enum": ["enrolled", "exists", "rejected"]},
                    "enrolment_code": ENROLMENT_CODE,
                    "enrolment_code_expires_at": WHEN,
                    "error": error_schema(OF_ONE_TERMINAL),
                },
                optional=["enrolment_code", "enrolment_code_expires_at", "error"],
            ),
        },
    }
)
CODE_EXAMPLE: Final = "7ZK4QX0M9T2V5C8B1N6RAHWJDE"
ENROLLED_EXAMPLE: Final = {
    "enrolled": 1,
    "rejected": 2,
    "results": [
        {
            "index": 0,
            "code": "tokyo-0001-04",
            "status": "enrolled",
            "enrolment_code": CODE_EXAMPLE,
            "enrolment_code_expires_at": "2017-04-05T09:30:00+09:00",
        },
        *(
            {"index": index, "code": "tokyo-0001-03", "status": "rejected", "error": error_example(code)}
            for index, code in enumerate(OF_ONE_TERMINAL, start=1)
        ),
    ],
}


def to_key(where: str) -> Json:
    """A link to registering a key with the one-time code found at `where` in the answer."""
    return {
        "operationId": "registerTerminalKey",
        "parameters": {"code": f"$response.body#{where}/code"},
        "requestBody": {
            "enrolment_code": f"$response.body#{where}/enrolment_code",
            "public_key": PUBLIC_KEY_EXAMPLE,
        },
    }


def to_code(name: str) -> Json:
    """A link to an operation on the first terminal that was sent."""
    return {"operationId": name, "parameters": {"code": "$response.body#/results/0/code"}}


ENROL: Final = operation(
    "enrolTerminals",
    "Enrol terminals",
    "One terminal, or up to 1,000 under `terminals`; each stands alone. The same again `exists`. A terminal without "
    "`public_key` gets a one-time code, with which its till registers a key. Scope `enrol`.",
    tag="terminals",
    errors=("scope_missing", "merchant_not_yours"),
    body=body(
        ENROLMENT,
        {
            "one": {"code": "tokyo-0001-04", "store": "Shibuya", "region": "13"},
            "many": {
                "terminals": [
                    {"code": "tokyo-0001-05", "store": "Shibuya", "public_key": PUBLIC_KEY_EXAMPLE},
                    {"code": "tokyo-0001-06", "store": "Shibuya", "replaces": "tokyo-0001-02"},
                ]
            },
        },
    ),
    answer=answer(
        "What became of each terminal.",
        ENROLLED,
        {"enrolled and rejected": ENROLLED_EXAMPLE},
        {
            "register its key": to_key("/results/0"),
            "read it": to_code("readTerminal"),
            "another code": to_code("issueEnrolmentCode"),
        },
    ),
)
ISSUE_CODE: Final = operation(
    "issueEnrolmentCode",
    "A new one-time code",
    "For a till's first key, or a new one after a broken disk. Codes not used before end with it. It is good for 48 "
    "hours. Scope `enrol`.",
    tag="terminals",
    errors=("scope_missing", "terminal_not_yours"),
    parameters=[CODE_IN_PATH],
    answer=answer(
        "The code, which can be read this once.",
        exactly({"code": TERMINAL, "enrolment_code": ENROLMENT_CODE, "expires_at": WHEN}),
        {
            "a code": {
                "code": "tokyo-0001-03",
                "enrolment_code": CODE_EXAMPLE,
                "expires_at": "2017-04-05T09:30:00+09:00",
            }
        },
        {"register a key": to_key("")},
    ),
)
REGISTER_KEY: Final = operation(
    "registerTerminalKey",
    "Register a till's own key",
    "No API key: the one-time code is the proof. From then on the terminal's batches need a seal. A key over an "
    "earlier one raises an alarm.",
    tag="terminals",
    errors=("enrolment_code_invalid",),
    with_key=False,
    parameters=[CODE_IN_PATH],
    body=body(
        {
            "type": "object",
            "required": ["enrolment_code", "public_key"],
            "properties": {"enrolment_code": {"type": "string"}, "public_key": BYTES_32},
        },
        {"a key": {"enrolment_code": CODE_EXAMPLE, "public_key": PUBLIC_KEY_EXAMPLE}},
    ),
    answer=answer(
        "The key is the terminal's.",
        exactly({"code": TERMINAL, "public_key": BYTES_32}),
        {"registered": {"code": "tokyo-0001-03", "public_key": PUBLIC_KEY_EXAMPLE}},
        {"read the terminal": {"operationId": "readTerminal", "parameters": {"code": "$response.body#/code"}}},
    ),
)
