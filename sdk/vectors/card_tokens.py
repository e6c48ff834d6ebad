"""`card_token.json`: tokens that open, and tokens that must not.

HPKE draws a new key for each token, so a new run writes other tokens that open to the same plaintexts.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from fixed import TERMINAL, fixed_bytes
from kanpu_pos import base64url
from kanpu_pos.card import MAX_COUNTER, VirtualCard
from kanpu_pos.fields import MAX_SEQ
from kanpu_pos.token import PREFIX, seal_token, token_context
from reference import CRYPTOGRAM_WRONG, KEY_UNKNOWN, MALFORMED, REASONS, UNOPENABLE, derive_card_key

KEY_IDS: Final = (1, 2, 255)

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Purchase(NamedTuple):
    """A tap to make a token of; `counter` is the card's before it."""

    name: str
    issuer: str
    card: str
    counter: int
    terminal: str
    seq: int
    key_id: int


_LONGEST: Final = "9" + "z" * 62
_OPENING: Final = (
    Purchase("a new card's first tap", "issuer 1", "card 1", 0, TERMINAL, 1042, 1),
    Purchase("the same card's next tap, sealed to the next key", "issuer 1", "card 1", 1, TERMINAL, 1043, 2),
    Purchase("another card of another master key", "issuer 2", "card 2", 77, "osaka-0042-1", 9, 255),
    Purchase("a counter of four different bytes", "issuer 1", "card 3", 0x01020303, TERMINAL, 10, 1),
    Purchase("the last counter and seq", "issuer 1", "card 1", MAX_COUNTER - 1, _LONGEST, MAX_SEQ, 1),
    Purchase("the shortest terminal and the first seq", "issuer 1", "card 1", 2, "0", 1, 2),
)


def private_key(key_id: int) -> X25519PrivateKey:
    """Return the recipient's key of that id."""
    return X25519PrivateKey.from_private_bytes(fixed_bytes(f"sealing key {key_id}"))


def issued_card(issuer: str, card: str, counter: int) -> VirtualCard:
    """Return a card as the issuer makes it; `counter` is that of its last tap."""
    card_id = fixed_bytes(card, 16)
    return VirtualCard(card_id, derive_card_key(fixed_bytes(issuer), card_id), counter)


def sealed(plaintext: bytes, key_id: int, context: bytes) -> str:
    """Return the token of `plaintext` for the recipient's key of that id."""
    return seal_token(plaintext, key_id=key_id, public_key=private_key(key_id).public_key(), context=context)


def card_token_document() -> dict[str, Any]:
    """Return `card_token.json`."""
    return {
        "about": "Card token kt1. Bytes are in hex. The keys are made up and protect nothing. "
        "Each run of make.py writes other tokens; all else stays.",
        "reasons": REASONS,
        "sealing_keys": [_sealing_key(key_id) for key_id in KEY_IDS],
        "opens": [_opening(purchase) for purchase in _OPENING],
        "does_not_open": list(_refusals()),
    }


def _sealing_key(key_id: int) -> dict[str, Any]:
    key = private_key(key_id)
    return {
        "id": key_id,
        "private_key": key.private_bytes_raw().hex(),
        "public_key": key.public_key().public_bytes_raw().hex(),
    }


def _opening(purchase: Purchase) -> dict[str, Any]:
    card = issued_card(purchase.issuer, purchase.card, purchase.counter)
    context = token_context(purchase.terminal, purchase.seq)
    plaintext = card.tap(context)
    return {
        "name": purchase.name,
        "issuer_key": fixed_bytes(purchase.issuer).hex(),
        "card_id": card.card_id.hex(),
        "card_key": card.card_key.hex(),
        "counter": card.counter,
        "terminal": purchase.terminal,
        "seq": purchase.seq,
        "context": context.hex(),
        "cryptogram": plaintext[20:].hex(),
        "plaintext": plaintext.hex(),
        "key_id": purchase.key_id,
        "private_key": private_key(purchase.key_id).private_bytes_raw().hex(),
        "token": sealed(plaintext, purchase.key_id, context),
    }


def _refusals() -> Iterator[dict[str, Any]]:
    """Yield tokens that do not open for (TERMINAL, 1042) and issuer 1, each with one thing wrong."""
    context = token_context(TERMINAL, 1042)
    plaintext = issued_card("issuer 1", "card 1", 0).tap(context)
    token = sealed(plaintext, 1, context)
    changes = [
        *_of_another_purchase(token),
        *_wrongly_sealed(plaintext, context, data=base64url.decode(token.removeprefix(PREFIX))),
        *_wrongly_spelt(token),
    ]
    for name, reason, fields in changes:
        yield {
            "name": name,
            "reason": reason,
            "issuer_key": fixed_bytes("issuer 1").hex(),
            "terminal": TERMINAL,
            "seq": 1042,
            **fields,
        }


_Change = tuple[str, str, dict[str, Any]]


def _of_another_purchase(token: str) -> list[_Change]:
    return [
        ("another terminal", UNOPENABLE, {"token": token, "terminal": "tokyo-0001-04"}),
        ("another seq", UNOPENABLE, {"token": token, "seq": 1043}),
        (
            "another issuer key",
            CRYPTOGRAM_WRONG,
            {"token": token, "issuer_key": fixed_bytes("issuer 2").hex()},
        ),
    ]


def _wrongly_sealed(plaintext: bytes, context: bytes, *, data: bytes) -> list[_Change]:
    other_answer = issued_card("issuer 1", "card 1", 0).tap(token_context(TERMINAL, 1041))
    raised_counter = plaintext[:16] + (2).to_bytes(4, "big") + plaintext[20:]
    flips = {"the encapsulated key": 1, "the ciphertext": 40, "the ciphertext's tag": 84}
    return [
        *((f"a bit flipped in {place}", UNOPENABLE, _token(_flipped(data, at))) for place, at in flips.items()),
        ("an encapsulated key of zeros", UNOPENABLE, _token(data[:1] + bytes(32) + data[33:])),
        ("the id of another key", UNOPENABLE, _token(b"\x02" + data[1:])),
        ("an unknown key id", KEY_UNKNOWN, _token(b"\x63" + data[1:])),
        ("key id 0, which is none", KEY_UNKNOWN, _token(b"\x00" + data[1:])),
        (
            "a card's answer to another purchase",
            CRYPTOGRAM_WRONG,
            {"token": sealed(other_answer, 1, context)},
        ),
        ("a counter raised after the tap", CRYPTOGRAM_WRONG, {"token": sealed(raised_counter, 1, context)}),
        ("a byte too few", MALFORMED, _token(data[:-1])),
        ("a byte too many", MALFORMED, _token(data + b"\x00")),
    ]


def _wrongly_spelt(token: str) -> list[_Change]:
    spare_bit_set = token[:-1] + _ALPHABET[_ALPHABET.index(token[-1]) + 1]
    spellings = {
        "a character too few": token[:-1],
        "a character too many": token + "A",
        "spare trailing bits that are not zero": spare_bit_set,
        "padding": token + "==",
        "a newline at the end": token + "\n",
        "a space inside": token[:60] + " " + token[61:],
        "a character of the standard alphabet": token[:60] + "+" + token[61:],
        "a character outside ASCII": token[:60] + "é" + token[61:],
        "the prefix of another version": "kt2." + token.removeprefix(PREFIX),
        "the prefix in upper case": "KT1." + token.removeprefix(PREFIX),
        "no prefix": token.removeprefix(PREFIX),
        "nothing but the prefix": PREFIX,
        "nothing": "",
    }
    return [(name, MALFORMED, {"token": spelling}) for name, spelling in spellings.items()]


def _token(data: bytes) -> dict[str, Any]:
    return {"token": PREFIX + base64url.encode(data)}


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
