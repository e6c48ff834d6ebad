"""What each reader promises for any bytes: a target raises whatever breaks the promise."""

import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from apps.payouts.zengin.layout import DATA, HEADER, TRAILER, render
from apps.payouts.zengin.reading import Problem, read_file
from apps.purchases.chain import Seal, SealMismatch, check_seal, first_digest, head_after
from apps.purchases.records import Malformed, read_line, read_record
from apps.residents.register.prepared import Reading, prepare
from apps.residents.register.rows import TableUnreadable, read_header
from apps.residents.register.table import read_records, scan
from apps.residents.tokens import TokenUnreadable, open_token, token_context
from apps.residents.vault.keys import VaultKeys

VECTORS: Final = Path(__file__).resolve().parents[2] / "sdk" / "vectors"
SEALED: Final[list[dict[str, Any]]] = json.loads((VECTORS / "card_token.json").read_text())["opens"]
KEYS: Final = {row["key_id"]: X25519PrivateKey.from_private_bytes(bytes.fromhex(row["private_key"])) for row in SEALED}
TILL: Final = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC: Final = TILL.public_key().public_bytes_raw()
HEAD: Final = head_after(first_digest("t-1"), ["1\n2017-04-03T09:30:00+09:00\nunused\n-\n-\n"])
SIGNATURE: Final = TILL.sign(HEAD)
COLUMNS: Final = (
    "individual_number", "resident_code", "name", "name_kana", "name_latin", "birth_date", "resident_from",
    "resident_to", "household", "head", "postal_code", "address",
)  # fmt: skip
VAULT: Final = VaultKeys({1: b"1" * 32}, {1: b"i" * 32})


def token(data: bytes) -> None:
    """A token opens as it was sealed, or not at all: whatever was changed of it, and for whatever other record."""
    text = data.decode("latin-1")
    for sealed in SEALED:
        try:
            opened = open_token(text, token_context(sealed["terminal"], sealed["seq"]), KEYS)
        except TokenUnreadable:
            continue
        assert text == sealed["token"], "another text opens"
        assert opened.tap.card_id.hex() == sealed["card_id"]


def seal(data: bytes) -> None:
    """A seal fits only as it was made."""
    given = Seal(data[:32], data[32:])
    try:
        check_seal(given, HEAD, PUBLIC)
    except SealMismatch:
        return
    assert given == Seal(HEAD, SIGNATURE), "another seal fits"


def record(data: bytes) -> None:
    """What is accepted of a till a worker can read, and reads as it was sent: it poisons no queue."""
    read = read_record(data)
    if isinstance(read, Malformed):
        assert len(read.identity) == 32
        return
    line = read_line(read.line)
    assert (line.seq, line.kind) == (read.seq, read.kind)
    assert (line.token or None, line.claim or None) == (read.card, read.claim)
    assert list(line.amounts.items()) == [(row.tier, row.amount) for row in read.lines]
    with suppress(UnicodeEncodeError):
        assert "\x00" not in read.line, "PostgreSQL keeps no such text"


def zengin(data: bytes) -> None:
    """Every record of a bank's file is read or named with its line; none is read twice; what is read can be written."""
    layouts = {"header": HEADER, "data": DATA, "trailer": TRAILER, "1": HEADER, "2": DATA, "8": TRAILER}
    last = 0
    for found in read_file(io.BytesIO(data)):
        assert found.line >= last or isinstance(found, Problem)
        last = max(last, found.line)
        if not isinstance(found, Problem):
            assert len(render(layouts[found.kind], found.values)) == 120


def register(data: bytes) -> None:
    """Each line of a municipality's table becomes rows or defects, none is passed over."""
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            scanned = scan(Path(file.name))
        except TableUnreadable:
            return
        with open(file.name, encoding=scanned.encoding, errors="surrogateescape") as lines:
            records = list(read_records(lines))
    outcome = prepare(Reading(read_header(COLUMNS), VAULT, "139998"), records, ahead=False)
    assert len(outcome.rows) + len(outcome.defects) >= len(records)


def header(data: bytes) -> None:
    """A table's first line names columns, or is refused in words."""
    with suppress(TableUnreadable):
        read_header(data.decode("utf-8", "surrogateescape").split(","))


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    one.__name__: one for one in (token, seal, record, zengin, register, header)
}
GOOD_ROW: Final = (
    "983205673214,12345678901,髙橋 𠮷子,タカハシ ヨシコ,Takahashi Yoshiko,1980-02-29,2017-04-03,,7,1,1000001,架空市"
)
SEEDS: Final[dict[str, list[bytes]]] = {
    "token": [row["token"].encode() for row in SEALED],
    "seal": [HEAD + SIGNATURE],
    "record": [
        b'{"seq": 1042, "at": "2017-04-03T09:30:00+09:00", "card": "' + SEALED[0]["token"].encode()
        + b'", "lines": [{"tier": "reduced", "amount": 1080}, {"tier": "standard", "amount": 550}]}',
        b'{"seq": 2, "at": "2017-04-03T09:41:10.123Z", "kind": "correction", "of": {"terminal": "t-1", "seq": 1},'
        b' "sold_at": "2017-04-02T09:30:00+09:00", "lines": [{"tier": "reduced", "amount": 540}]}',
        b'{"seq": 3, "at": "2017-04-03T21:00:00+09:00", "kind": "closing", "year": 2017,'
        b' "totals": [{"tier": "reduced", "amount": -1}]}',
    ],
    "zengin": [
        b"\r\n".join(one.ljust(120) for one in (b"12101234567890", b"8000000000000000000", b"9")) + b"\r\n",
    ],
    "register": [GOOD_ROW.encode() + b"\n", GOOD_ROW.replace("𠮷", "吉").encode("cp932", "replace") + b'\n"a\nb",\n'],
    "header": [",".join(COLUMNS).encode(), b"individual_number,name,attr_income"],
}  # fmt: skip
