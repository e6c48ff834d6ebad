"""The kit's own test terminals: their numbers, keys and chains, and the batches they send."""

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kanpu_pos import base64url
from kanpu_pos.records import from_json, line
from kanpu_pos.seal import digest_0, extended

Json: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class TestTerminal:
    """A terminal of the kit. `lines` are the canonical lines of its records from number `sealed_from` on."""

    __test__ = False  # no test, though its name begins like one

    code: str
    key: Ed25519PrivateKey | None
    enrolment_code: str = ""
    seq: int = 0
    sealed_from: int = 1
    lines: list[str] = field(default_factory=list)

    def next(self) -> int:
        """Spend a number."""
        self.seq += 1
        return self.seq

    @property
    def head(self) -> bytes | None:
        """The digest after its last record, or None without a key."""
        return self.digest_before(self.sealed_from + len(self.lines)) if self.key else None

    @property
    def public_key(self) -> str | None:
        """The public half of its key in base64url."""
        return base64url.encode(self.key.public_key().public_bytes_raw()) if self.key else None

    def digest_before(self, seq: int) -> bytes:
        """The digest before the record of that number."""
        digest = digest_0(self.code)
        for text in self.lines[: seq - self.sealed_from]:
            digest = extended(digest, text)
        return digest

    def batch(self, *records: Json) -> Json:
        """Return the body of a batch, sealed if the terminal has a key."""
        body: Json = {"terminal": self.code, "purchases": list(records)}
        return {**body, "seal": self.seal(*records)} if self.key and records else body

    def seal(self, *records: Json, key: Ed25519PrivateKey | None = None) -> Json:
        """Return the seal of a batch; `key` signs in the place of the terminal's own."""
        digest = self.digest_before(records[0]["seq"])
        for record in records:
            digest = extended(digest, line_of(record))
        signer = key or self.key or Ed25519PrivateKey.generate()
        return {"head": base64url.encode(digest), "signature": base64url.encode(signer.sign(digest))}

    def keep(self, *records: Json) -> None:
        """Take records into the chain: the server has acknowledged them."""
        for record in records:
            if record["seq"] == self.sealed_from + len(self.lines):
                self.lines.append(line_of(record))


def line_of(record: Json) -> str:
    """Return the canonical line of a record in JSON."""
    return line(from_json(json.dumps(record).encode()))
