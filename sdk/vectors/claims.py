"""`claims.json`: the code on a receipt, and what the sale's record holds of it."""

from typing import Any, Final

from fixed import fixed_bytes
from kanpu_pos.claims import claim_code, claim_hash

_BYTES: Final = {
    "zeros": bytes(16),
    "ones": b"\xff" * 16,
    "the number 1": bytes(15) + b"\x01",
    "the first bit alone": b"\x80" + bytes(15),
    "the bytes 0 to 15": bytes(range(16)),
    "random bytes": fixed_bytes("receipt 1", 16),
    "other random bytes": fixed_bytes("receipt 2", 16),
}


def claims_document() -> dict[str, Any]:
    """Return `claims.json`."""
    code = claim_code(bytes(range(16)))
    return {
        "about": "The 16 bytes of a claim (hex) as one big-endian number in 26 characters of Crockford's base32, and "
        "the base64url SHA-256 of the bytes, which the sale bears. `read_alike` are spellings of one code as people "
        "type it.",
        "claims": [
            {"name": name, "bytes": data.hex(), "code": claim_code(data), "claim": claim_hash(data)}
            for name, data in _BYTES.items()
        ],
        "read_alike": {"claim": claim_hash(bytes(range(16))), "spellings": _spellings(code)},
        "no_codes": {
            "a character too few": code[:-1],
            "a character too many": code + "0",
            "more than 128 bits": "8" + code[1:],
            "a U": code[:-1] + "U",
            "a character outside the alphabet": code[:-1] + "*",
            "nothing": "",
        },
    }


def _spellings(code: str) -> list[str]:
    return [
        code,
        code.lower(),
        code.replace("0", "O"),
        code.replace("0", "o").replace("1", "l"),
        code.replace("1", "I"),
        "-".join((code[:5], code[5:10], code[10:15], code[15:20], code[20:])),
        f" {code[:13]} {code[13:]} ",
    ]
