"""`chains.json`: the digest after each record of a terminal. `signatures.json`: seals that hold, and that do not."""

from collections.abc import Iterator
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fixed import TERMINAL, fixed_bytes, public_bytes, till_key
from kanpu_pos import base64url
from kanpu_pos.records import Closing, Correction, Record, Return, Sale, Unused, Void, line
from kanpu_pos.seal import Seal, digest_0, digests, sign
from kanpu_pos.token import PREFIX

HEAD_WRONG: Final = "head_wrong"
SIGNATURE_WRONG: Final = "signature_wrong"
MALFORMED: Final = "seal_malformed"

SEAL_REASONS: Final = {
    MALFORMED: "not 32 and 64 bytes in canonical base64url, without padding",
    HEAD_WRONG: "not the digest after the batch's last record",
    SIGNATURE_WRONG: "Ed25519 does not verify it with the terminal's public key over the 32 bytes of head",
}


def day_of(terminal: str) -> list[Record]:
    """Return a short day of a terminal, a record of every kind; the token opens with no key."""
    card, claim = PREFIX + base64url.encode(bytes(range(85))), base64url.encode(fixed_bytes("claim"))
    return [
        Sale(seq=1, at="2017-04-03T09:30:00+09:00", card=card, lines=(("reduced", 1080), ("standard", 550))),
        Sale(seq=2, at="2017-04-03T09:41:10+09:00", claim=claim, lines=(("standard", 4980),)),
        Return(seq=3, at="2017-04-03T10:02:00+09:00", of=(terminal, 1), lines=(("reduced", 540),)),
        Unused(seq=4, at="2017-04-03T11:15:30+09:00"),
        Correction(seq=5, at="2017-04-03T12:00:00+09:00", of=(terminal, 2), lines=(("reduced", 4980),)),
        Void(seq=6, at="2017-04-03T13:20:00.5+09:00", of=(terminal, 1)),
        Correction(
            seq=7, at="2017-04-03T13:25:00+09:00", of=(terminal, 2), lines=(("reduced", 4890),),
            sold_at="2017-04-03T00:40:10Z",
        ),
        Closing(seq=8, at="2017-04-03T21:00:00+09:00", year=2017, totals=(("reduced", 4890),)),
    ]  # fmt: skip


def chains_document() -> dict[str, Any]:
    """Return `chains.json`."""
    return {
        "about": "Terminals, their records' canonical lines from seq 1 on, and the digest before the first and after "
        "each (hex).",
        "chains": [_chain(code, day_of(code)) for code in (TERMINAL, "0", "9" + "z" * 62)],
    }


def _chain(terminal: str, records: list[Record]) -> dict[str, Any]:
    lines = [line(record) for record in records]
    start = digest_0(terminal)
    return {
        "terminal": terminal,
        "digest_0": start.hex(),
        "records": [
            {"seq": record.seq, "line": text, "digest": digest.hex()}
            for record, text, digest in zip(records, lines, digests(start, lines), strict=True)
        ],
    }


def signatures_document() -> dict[str, Any]:
    """Return `signatures.json`."""
    head = list(digests(digest_0(TERMINAL), map(line, day_of(TERMINAL))))[-1]
    return {
        "about": "Seals over the chain of the first terminal of chains.json, `expected_head` being its digest after "
        "the last record. Keys and digests in hex, seals as they are sent. The keys are made up and protect nothing.",
        "reasons": SEAL_REASONS,
        "terminal": TERMINAL,
        "expected_head": head.hex(),
        "verifies": [
            {"name": f"signed with the key of till {name}", **_key(till_key(name)), **_sent(sign(till_key(name), head))}
            for name in ("1", "2")
        ],
        "does_not_verify": [
            {"name": name, "reason": reason, "public_key": public_bytes(till_key("1")).hex(), **seal}
            for name, reason, seal in _false_seals(head)
        ],
    }


def _key(key: Ed25519PrivateKey) -> dict[str, str]:
    return {"private_key": key.private_bytes_raw().hex(), "public_key": public_bytes(key).hex()}


def _sent(seal: Seal) -> dict[str, str]:
    return {"head": base64url.encode(seal.head), "signature": base64url.encode(seal.signature)}


def _false_seals(head: bytes) -> Iterator[tuple[str, str, dict[str, str]]]:
    key = till_key("1")
    good = sign(key, head)
    before = list(digests(digest_0(TERMINAL), map(line, day_of(TERMINAL)[:-1])))[-1]
    swapped = good.signature[32:] + good.signature[:32]
    sent = _sent(good)
    yield "signed with another till's key", SIGNATURE_WRONG, _sent(sign(till_key("2"), head))
    yield "the head after the record before, well signed", HEAD_WRONG, _sent(sign(key, before))
    yield "the head of another terminal, well signed", HEAD_WRONG, _sent(sign(key, digest_0("0")))
    yield "a bit of the head flipped", HEAD_WRONG, _sent(Seal(_flipped(head), good.signature))
    yield "a bit of the signature flipped", SIGNATURE_WRONG, _sent(Seal(head, _flipped(good.signature)))
    yield "the signature's halves swapped", SIGNATURE_WRONG, _sent(Seal(head, swapped))
    yield "a signature of zeros", SIGNATURE_WRONG, _sent(Seal(head, bytes(64)))
    yield "signed in hex", SIGNATURE_WRONG, _sent(Seal(head, key.sign(head.hex().encode())))
    yield "signed in base64url", SIGNATURE_WRONG, _sent(Seal(head, key.sign(sent["head"].encode())))
    yield "the head in hex", MALFORMED, sent | {"head": head.hex()}
    yield "the head with padding", MALFORMED, sent | {"head": sent["head"] + "="}
    yield "the signature with padding", MALFORMED, sent | {"signature": sent["signature"] + "=="}
    yield "a byte of the signature too few", MALFORMED, _sent(Seal(head, good.signature[:-1]))
    yield "a byte of the head too many", MALFORMED, _sent(Seal(head + b"\x00", good.signature))
    yield "an empty signature", MALFORMED, sent | {"signature": ""}


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))
