"""The OpenAPI operations of reporting, of reading back and of the tiers."""

from typing import Any, Final

from apps.merchants.catalogue import CATALOGUE
from apps.merchants.openapi import (
    BYTES_32,
    CODE_IN_PATH,
    OF_ONE_TERMINAL,
    TERMINAL,
    WHEN,
    WORDS,
    Json,
    answer,
    body,
    error_example,
    error_schema,
    exactly,
    operation,
)
from apps.purchases.paging import LIMIT, MAX_LIMIT, STATUSES
from apps.purchases.records import CLAIM, MAX_AMOUNT_MINOR, MAX_LINES, MAX_SEQ, MAX_TOTAL_MINOR, TOKEN
from apps.purchases.serializers import MAX_RECORDS

HELD: Final = ("card_suspended", "card_replaced", "card_cloned")
DECIDED_LATER: Final = (
    "card_unknown", "cryptogram_wrong", "card_not_valid", "return_exceeds_sale", "already_void", "of_not_a_sale", *HELD,
)  # fmt: skip
AT_ONCE: Final = tuple(
    code for code, entry in CATALOGUE.items() if not entry.status and code not in (*DECIDED_LATER, *OF_ONE_TERMINAL)
)

# --- what is sent ------------------------------------------------------------------------------------------

SEQ: Final[Json] = {"type": "integer", "minimum": 1, "maximum": MAX_SEQ}
TIER: Final[Json] = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,31}$", "examples": ["reduced"]}
YEAR: Final[Json] = {"type": "integer", "minimum": 1, "maximum": 9999}
OF: Final[Json] = {"type": "object", "required": ["terminal", "seq"], "properties": {"terminal": TERMINAL, "seq": SEQ}}


def _amounts(least: int, most: int, **more: int) -> Json:
    amount = {"type": "integer", "minimum": least, "maximum": most, "description": "Minor units, tax included."}
    line = {"type": "object", "required": ["tier", "amount"], "properties": {"tier": TIER, "amount": amount}}
    return {"type": "array", "maxItems": MAX_LINES, "items": line, **more}


LINES: Final = _amounts(1, MAX_AMOUNT_MINOR, minItems=1)
TOTALS: Final = _amounts(-MAX_TOTAL_MINOR, MAX_TOTAL_MINOR)
NO_LINES: Final[Json] = {"type": "array", "maxItems": 0}


def _record(kind: str, title: str, **fields: Json) -> Json:
    required = ["seq", "at", *([] if kind == "sale" else ["kind"]), *(name for name in fields if name in NEEDED[kind])]
    properties = {"seq": SEQ, "at": WHEN, "kind": {"type": "string", "const": kind}, **fields}
    return {"title": title, "type": "object", "required": required, "properties": properties}


NEEDED: Final = {
    "sale": ("lines",),
    "return": ("of", "lines"),
    "void": ("of",),
    "correction": ("of", "lines"),
    "unused": (),
    "closing": ("year", "totals"),
}
TOKEN_TEXT: Final[Json] = {"type": "string", "pattern": f"^{TOKEN.pattern}$", "description": "What the reader sealed."}
CLAIM_TEXT: Final[Json] = {
    "type": "string",
    "pattern": f"^{CLAIM.pattern}$",
    "description": "base64url SHA-256 of the 16 bytes on the receipt.",
}
RECORD: Final[Json] = {
    "oneOf": [
        _record("sale", "sale: a purchase", lines=LINES, card=TOKEN_TEXT, claim=CLAIM_TEXT)
        | {"not": {"required": ["card", "claim"]}},
        _record("return", "return: goods of an earlier sale of the same merchant", of=OF, lines=LINES),
        _record("void", "void: takes what is left of a record of the same terminal", of=OF, lines=NO_LINES),
        _record("correction", "correction: all lines as they should be", of=OF, lines=LINES, sold_at=WHEN),
        _record("unused", "unused: a number whose sale was abandoned", lines=NO_LINES),
        _record("closing", "closing: the day's end", year=YEAR, totals=TOTALS),
    ]
}
SEAL: Final[Json] = {
    "type": "object",
    "required": ["head", "signature"],
    "properties": {
        "head": BYTES_32 | {"description": "The digest after the batch's last record."},
        "signature": {
            "type": "string",
            "pattern": "^[A-Za-z0-9_-]{85}[AQgw]$",
            "description": "Ed25519 over its bytes.",
        },
    },
}
BATCH: Final[Json] = {
    "type": "object",
    "required": ["terminal", "purchases"],
    "properties": {
        "terminal": TERMINAL,
        "purchases": {"type": "array", "maxItems": MAX_RECORDS, "items": RECORD},
        "seal": SEAL | {"type": ["object", "null"]},
    },
}
CARD_EXAMPLE: Final = (
    "kt1.AYGNUweHJxzBpCxuq_fsdi3GpMGBbkNyoY6B7cCJUiBVAYf4m6fGKwazroZeJ8hdBTZFZW4qhhWX4ZKaIO5ZMi4Fmx_FD8bjArkzq1yNmvh_"
    "vgaowQ"
)
CLAIM_EXAMPLE: Final = "fDzNELt-w3tG03kmrmJ0Jn8AejSurxXIgqcVp_MwBSk"


def _lines(**amounts: int) -> list[dict[str, Any]]:
    return [{"tier": tier, "amount": amount} for tier, amount in amounts.items()]


def _sent(seq: int, time: str, kind: str, **fields: Any) -> Json:
    return {"seq": seq, "at": f"2017-04-03T{time}+09:00", "kind": kind, **fields}


def _own(seq: int) -> Json:
    return {"terminal": "tokyo-0001-03", "seq": seq}


BOUGHT: Final = _lines(reduced=1080, standard=550)
RECORDS: Final = {
    "a sale with a card": _sent(1042, "09:30:00", "sale", card=CARD_EXAMPLE, lines=BOUGHT),
    "a sale to claim": _sent(1043, "09:41:10", "sale", claim=CLAIM_EXAMPLE, lines=BOUGHT),
    "a return": _sent(1044, "10:05:00", "return", of=_own(988), lines=_lines(reduced=540)),
    "a void": _sent(1045, "10:07:30", "void", of=_own(1043)),
    "a correction": _sent(1046, "10:20:00", "correction", of=_own(1042), lines=_lines(reduced=1630)),
    "a mended clock": _sent(
        1047, "10:21:00", "correction", of=_own(1042), lines=BOUGHT, sold_at="2017-04-02T09:30:00+09:00"
    ),
    "an unused number": _sent(1048, "10:30:00", "unused"),
    "a closing": _sent(1049, "21:00:00", "closing", year=2017, totals=_lines(reduced=231540, standard=98200)),
}
SEALED: Final[Json] = {
    "terminal": "tokyo-0001-04",
    "purchases": [
        _sent(1, "09:30:00", "sale", claim=CLAIM_EXAMPLE, lines=BOUGHT),
        _sent(2, "21:00:00", "closing", year=2017, totals=BOUGHT),
    ],
    "seal": {
        "head": "5iJVzvALusQdYaIILYkTmXy-Ys3im2s16K8Tamixi9Y",
        "signature": "9PIscMny_GhGLseLmyhjFIJqzrDvIyJk4bWgArnVO3SRcVH1heH47qsc5qDZ_V4l_BnlNEH8cXj_9C9BmOC0Cw",
    },
}
SENT_EXAMPLES: Final = {
    "all kinds": {"terminal": "tokyo-0001-03", "purchases": list(RECORDS.values())},
    "sealed": SEALED,
    **{name: {"terminal": "tokyo-0001-03", "purchases": [record]} for name, record in RECORDS.items()},
}

# --- what is answered --------------------------------------------------------------------------------------

COUNT: Final[Json] = {"type": "integer", "minimum": 0}
NEXT_SEQ: Final[Json] = {"type": "integer", "minimum": 1, "maximum": MAX_SEQ + 1}
MISSING: Final[Json] = {
    "type": "array",
    "maxItems": 100,
    "description": "Ranges of numbers that never came, both ends included.",
    "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": SEQ},
}
RESULT: Final[Json] = exactly(
    {
        "index": COUNT,
        "seq": SEQ | {"type": ["integer", "null"]},
        "status": {"type": "string", "enum": ["duplicate", "rejected"]},
        "error": error_schema(AT_ONCE),
    },
    optional=["error"],
)
TAKEN: Final[Json] = exactly(
    {
        "accepted": COUNT,
        "duplicates": COUNT,
        "rejected": COUNT,
        "results": {"type": "array", "maxItems": MAX_RECORDS, "items": RESULT},
        "terminal": exactly({"next_seq": NEXT_SEQ, "missing": MISSING}),
    }
)


def _refused(code: str) -> Json:
    result = {"index": 0, "seq": 1042, "status": "rejected", "error": error_example(code)}
    return _taken(rejected=1, results=[result])


def _taken(**counts: Any) -> Json:
    place = {"next_seq": 1050, "missing": [[990, 992]]}
    return {"accepted": 0, "duplicates": 0, "rejected": 0, "results": [], "terminal": place} | counts


REPORT: Final = operation(
    "reportPurchases",
    "Report purchases",
    "Up to 1,000 records, or 1 MiB after decompression, of one terminal; `Content-Encoding: gzip` is welcome. Each "
    "record stands alone. 200 means that every accepted record is durable; what comes again is a duplicate. "
    "Unknown fields are ignored. Scope `report`.",
    tag="purchases",
    errors=("scope_missing", "terminal_not_yours", "seal_missing", "chain_broken", "seal_mismatch"),
    parameters=[
        {
            "name": "Kanpu-Software",
            "in": "header",
            "description": "vendor/product/version of what sends.",
            "schema": {"type": "string", "examples": ["acme/till/4.2"]},
        }
    ],
    body=body(BATCH, SENT_EXAMPLES),
    answer=answer(
        "What became of the batch. `results` lists what was not newly accepted.",
        TAKEN,
        {
            "accepted": _taken(accepted=8),
            "sent again": _taken(duplicates=1, results=[{"index": 0, "seq": 1042, "status": "duplicate"}]),
            **{code: _refused(code) for code in AT_ONCE},
        },
        {
            "read back": {
                "operationId": "readPurchases",
                "parameters": {"terminal": "$request.body#/terminal"},
            },
            "read the terminal": {"operationId": "readTerminal", "parameters": {"code": "$request.body#/terminal"}},
        },
    ),
)

READ_LINE: Final = exactly({"tier": {"type": "string"}, "amount": {"type": "integer"}})
READ: Final[Json] = exactly(
    {
        "terminal": TERMINAL,
        "seq": SEQ,
        "kind": {"type": ["string", "null"], "description": "As sent; null for what has not the shape of a record."},
        "at": {"type": ["string", "null"], "description": "As sent."},
        "of": exactly({"terminal": {"type": "string"}, "seq": {"type": "integer"}}, type=["object", "null"]),
        "lines": {"type": "array", "items": READ_LINE},
        "status": {"type": "string", "enum": list(STATUSES)},
        "error": error_schema((*AT_ONCE, *DECIDED_LATER)) | {"type": ["object", "null"]},
        "received_at": WHEN,
        "changed_at": WHEN,
    }
)


def _read(seq: int, status: str, error: Json | None = None) -> Json:
    time = {"received_at": "2017-04-03T09:30:02+09:00", "changed_at": "2017-04-03T09:30:03+09:00"}
    at = "2017-04-03T09:30:00+09:00"
    return _own(seq) | {"kind": "sale", "at": at, "of": None, "lines": BOUGHT, "status": status, "error": error} | time


def _query(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


READ_BACK: Final = operation(
    "readPurchases",
    "Read back what became of records",
    "By terminal and number, a page at a time; never a resident. `waiting` is a return, void or correction whose sale "
    "has not come yet, `unclaimed` a sale whose claim nobody has used. Scope `read`.",
    tag="purchases",
    errors=("scope_missing", "terminal_not_yours"),
    parameters=[
        _query("terminal", "Of this terminal only.", TERMINAL),
        _query("from_seq", "From this number on; needs a terminal.", SEQ),
        _query("status", "Of this status only.", {"type": "string", "enum": list(STATUSES)}),
        _query(
            "changed_after",
            "What changed after this time. To poll: a minute before the newest `changed_at` seen.",
            {"type": "string", "format": "date-time"},
        ),
        _query("cursor", "`next_cursor` of the page before.", {"type": "string", "minLength": 1}),
        _query("limit", "A page's length.", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": LIMIT}),
    ],
    answer=answer(
        "A page of records.",
        exactly({"purchases": {"type": "array", "items": READ}, "next_cursor": {"type": ["string", "null"]}}),
        {
            "counted": {"purchases": [_read(1042, "counted")], "next_cursor": None},
            "decided by workers": {
                "purchases": [
                    _read(1043 + n, "held" if code in HELD else "rejected", error_example(code))
                    for n, code in enumerate(DECIDED_LATER)
                ],
                "next_cursor": "WzEsMTA1MV0",
            },
        },
        {"next page": {"operationId": "readPurchases", "parameters": {"cursor": "$response.body#/next_cursor"}}},
    ),
)

CLOSING_SEEN: Final = exactly(
    {
        "seq": SEQ,
        "at": WHEN,
        "year": YEAR,
        "agrees": {"type": ["boolean", "null"], "description": "null: not compared (yet)."},
        "differences": {
            "type": "array",
            "items": exactly({"tier": TIER, "reported": {"type": "integer"}, "recorded": {"type": "integer"}}),
        },
    },
    type=["object", "null"],
)
TERMINAL_SEEN: Final = exactly(
    {
        "code": TERMINAL,
        "store": {"type": "string"},
        "region": {"type": "string"},
        "enrolled_at": WHEN,
        "sealed": {"type": "boolean"},
        "next_seq": NEXT_SEQ,
        "head": BYTES_32
        | {
            "type": ["string", "null"],
            "description": "The digest before `next_seq`; null for a terminal without a key.",
        },
        "missing": MISSING,
        "last_closing": CLOSING_SEEN,
        "replaced_by": {"type": ["string", "null"], "description": "The code of the till that took its place."},
    }
)
TERMINAL_EXAMPLE: Final[Json] = {
    "code": "tokyo-0001-04",
    "store": "Shibuya",
    "region": "13",
    "enrolled_at": "2017-04-01T08:00:00+09:00",
    "sealed": True,
    "next_seq": 3,
    "head": SEALED["seal"]["head"],
    "missing": [],
    "last_closing": {"seq": 2, "at": "2017-04-03T21:00:00+09:00", "year": 2017, "agrees": True, "differences": []},
    "replaced_by": None,
}
DIFFERENCE: Final = {"tier": "reduced", "reported": 231540, "recorded": 230460}
READ_TERMINAL: Final = operation(
    "readTerminal",
    "Where a terminal stands",
    "Its next number, its chain's head, the numbers missing, its last closing. Scope `read` or `report`.",
    tag="terminals",
    errors=("scope_missing", "terminal_not_yours"),
    parameters=[CODE_IN_PATH],
    answer=answer(
        "The terminal.",
        TERMINAL_SEEN,
        {
            "a sealed terminal": TERMINAL_EXAMPLE,
            "a closing that differs": TERMINAL_EXAMPLE
            | {"last_closing": TERMINAL_EXAMPLE["last_closing"] | {"agrees": False, "differences": [DIFFERENCE]}},
        },
        {"read its records": {"operationId": "readPurchases", "parameters": {"terminal": "$response.body#/code"}}},
    ),
)

RATE: Final[Json] = {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$", "examples": ["0.08"]}
DAY: Final[Json] = {"type": "string", "format": "date", "examples": ["2017-04-03"]}
READ_TIERS: Final = operation(
    "readTiers",
    "The tiers in force on a day",
    "Codes, rates and names. A code implies no rate: fetch them once a day.",
    tag="tiers",
    parameters=[_query("on", "The day, by default today.", DAY)],
    answer=answer(
        "The tiers.",
        exactly(
            {
                "on": DAY,
                "scheme": {"type": "string"},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
                "minor_unit_digits": {"type": "integer", "minimum": 0},
                "time_zone": {"type": "string", "minLength": 1},
                "collected": RATE | {"description": "The rate that everyone pays at the till."},
                "tiers": {
                    "type": "array",
                    "items": exactly({"code": TIER, "rate": RATE, "name": WORDS, "examples": WORDS}),
                },
            }
        ),
        {
            "a day in 2017": {
                "on": "2017-04-03",
                "scheme": "jp-2015",
                "currency": "JPY",
                "minor_unit_digits": 0,
                "time_zone": "Asia/Tokyo",
                "collected": "0.10",
                "tiers": [
                    {
                        "code": "reduced",
                        "rate": "0.08",
                        "name": {"ja": "飲食料品", "en": "Food and drink"},
                        "examples": {"ja": "米、肉、魚、野菜", "en": "rice, meat, fish, vegetables"},
                    }
                ],
            }
        },
    ),
)
