"""Card tokens: their form, what they are bound to, and that RFC 9180 written out by hand opens them."""

import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from kanpu_pos import base64url
from kanpu_pos.fields import FieldError, check_card_token
from kanpu_pos.token import TokenError, seal_token, token_context

from .vectors import document, make, reference

VECTORS = document("card_token.json")
OPENS, DOES_NOT_OPEN = VECTORS["opens"], VECTORS["does_not_open"]
PRIVATE_KEYS = {
    row["id"]: X25519PrivateKey.from_private_bytes(bytes.fromhex(row["private_key"])) for row in VECTORS["sealing_keys"]
}
KEM_SUITE, HPKE_SUITE = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x01"


def extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def expand(suite: bytes, key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, labelled + b"\x01", "sha256")[:size]


def open_by_hand(
    enc: bytes, ciphertext: bytes, private_key: X25519PrivateKey, *, info: bytes, aad: bytes = b""
) -> bytes:
    """RFC 9180, sections 4.1, 5.1 and 5.2, base mode, first message, with only X25519, HMAC and AES-GCM."""
    shared = private_key.exchange(X25519PublicKey.from_public_bytes(enc))
    kem_context = enc + private_key.public_key().public_bytes_raw()
    secret = expand(KEM_SUITE, extract(KEM_SUITE, b"", b"eae_prk", shared), b"shared_secret", kem_context, 32)
    schedule = b"\x00" + extract(HPKE_SUITE, b"", b"psk_id_hash", b"") + extract(HPKE_SUITE, b"", b"info_hash", info)
    secret = extract(HPKE_SUITE, secret, b"secret", b"")
    key = expand(HPKE_SUITE, secret, b"key", schedule, 16)
    nonce = expand(HPKE_SUITE, secret, b"base_nonce", schedule, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, aad)


def test_rfc_9180_by_hand_opens_the_rfcs_own_vector() -> None:
    """Appendix A.1.1, sequence number 0: it makes `open_by_hand` a witness for the tests below."""
    private = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    )
    plaintext = open_by_hand(
        bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"),
        bytes.fromhex("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"),
        private,
        info=bytes.fromhex("4f6465206f6e2061204772656369616e2055726e"),
        aad=b"Count-0",
    )
    assert plaintext == b"Beauty is truth, truth beauty"


@given(
    plaintext=st.binary(min_size=36, max_size=36),
    key_id=st.integers(1, 255),
    secret=st.binary(min_size=32, max_size=32),
    seq=st.integers(1, 2**31 - 1),
)
def test_a_token_is_118_characters_that_rfc_9180_opens(plaintext: bytes, key_id: int, secret: bytes, seq: int) -> None:
    private = X25519PrivateKey.from_private_bytes(secret)
    context = token_context("tokyo-0001-03", seq)
    token = seal_token(plaintext, key_id=key_id, public_key=private.public_key(), context=context)
    data = base64url.decode(token.removeprefix("kt1."))
    assert (token[:4], len(token), len(data), data[0]) == ("kt1.", 118, 85, key_id)
    assert open_by_hand(data[1:33], data[33:], private, info=context) == plaintext
    check_card_token(token)


def test_sealing_the_same_answer_twice_gives_two_tokens_with_nothing_in_common() -> None:
    public = PRIVATE_KEYS[1].public_key()
    first, second = (seal_token(bytes(36), key_id=1, public_key=public, context=b"x") for _ in range(2))
    assert first[6:50] != second[6:50]
    assert first[50:] != second[50:]


def test_the_context_names_terminal_and_seq() -> None:
    assert token_context("tokyo-0001-03", 1042) == b"kanpu card token v1\ntokyo-0001-03\n1042"


@pytest.mark.parametrize("terminal", ["", "Tokyo", "-a", "a_b", "a" * 64, "a\n", "a\n1", "東京", None])
def test_a_bad_terminal_code_has_no_context(terminal: Any) -> None:
    with pytest.raises(FieldError, match=r"^terminal: "):
        token_context(terminal, 1)


@pytest.mark.parametrize("seq", [0, -1, 2**31, True, 1.0, "1", None])
def test_a_bad_seq_has_no_context(seq: Any) -> None:
    with pytest.raises(FieldError, match=r"^seq: "):
        token_context("t", seq)


@pytest.mark.parametrize(("size", "key_id"), [(35, 1), (37, 1), (0, 1), (36, 0), (36, 256), (36, True)])
def test_what_is_no_answer_or_no_key_id_is_not_sealed(size: int, key_id: int) -> None:
    with pytest.raises(TokenError):
        seal_token(bytes(size), key_id=key_id, public_key=PRIVATE_KEYS[1].public_key(), context=b"x")


def test_hkdf_is_that_of_rfc_5869_by_hand() -> None:
    issuer_key, card_id = bytes(range(32)), bytes(range(16))
    extracted = hmac.digest(bytes(32), issuer_key, "sha256")
    by_hand = hmac.digest(extracted, b"kanpu card key v1" + card_id + b"\x01", "sha256")
    assert reference.derive_card_key(issuer_key, card_id) == by_hand


@pytest.mark.parametrize("vector", OPENS, ids=lambda vector: vector["name"])
def test_a_vector_opens_to_its_plaintext(vector: dict[str, Any]) -> None:
    context = token_context(vector["terminal"], vector["seq"])
    data = base64url.decode(vector["token"].removeprefix("kt1."))
    private = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["private_key"]))
    plaintext = open_by_hand(data[1:33], data[33:], private, info=context)
    assert (plaintext.hex(), context.hex(), data[0]) == (
        vector["plaintext"],
        vector["context"],
        vector["key_id"],
    )
    card_id, counter = bytes.fromhex(vector["card_id"]), vector["counter"].to_bytes(4, "big")
    card_key = reference.derive_card_key(bytes.fromhex(vector["issuer_key"]), card_id)
    made = hmac.digest(card_key, context + b"\n" + counter, "sha256")[:16]
    assert (card_key.hex(), made.hex()) == (vector["card_key"], vector["cryptogram"])
    assert plaintext == card_id + counter + made


def reason_of(vector: dict[str, Any]) -> str:
    try:
        reference.open_token(
            vector["token"],
            private_keys=PRIVATE_KEYS,
            issuer_key=bytes.fromhex(vector["issuer_key"]),
            terminal=vector["terminal"],
            seq=vector["seq"],
        )
    except reference.ReasonError as error:
        return str(error)
    return "opens"


@pytest.mark.parametrize("vector", OPENS, ids=lambda vector: vector["name"])
def test_the_reference_opens_what_opens(vector: dict[str, Any]) -> None:
    assert reason_of(vector) == "opens"


@pytest.mark.parametrize("vector", DOES_NOT_OPEN, ids=lambda vector: vector["name"])
def test_a_refused_vector_has_its_reason(vector: dict[str, Any]) -> None:
    assert reason_of(vector) == vector["reason"]


def test_the_refused_vectors_have_every_reason() -> None:
    assert {vector["reason"] for vector in DOES_NOT_OPEN} == set(VECTORS["reasons"])


def test_malformed_vectors_do_not_get_into_a_sale() -> None:
    malformed = [vector["token"] for vector in DOES_NOT_OPEN if vector["reason"] == reference.MALFORMED]
    assert len(malformed) > 10
    for token in malformed:
        with pytest.raises(FieldError, match=r"^card: "):
            check_card_token(token)


def without_tokens(vectors: dict[str, Any]) -> dict[str, Any]:
    rows = {name: [{**row, "token": ""} for row in vectors[name]] for name in ("opens", "does_not_open")}
    return {**vectors, **rows}


def test_the_checked_in_vectors_are_what_make_writes_but_for_the_tokens() -> None:
    assert without_tokens(make.card_token_document()) == without_tokens(VECTORS)


@given(st.binary(max_size=100))
def test_base64url_reads_back(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@pytest.mark.parametrize("text", ["QQ==", "QR", "Q", "QUI\n", "+w", "/w", "_-\u00e9", "QUJ D"])
def test_base64url_takes_one_spelling_only(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        base64url.decode(text)
