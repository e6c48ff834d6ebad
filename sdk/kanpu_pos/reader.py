"""A card reader in software: it seals what a card answers, so that the till sees a token and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from kanpu_pos import base64url
from kanpu_pos.card import VirtualCard
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.fields import parse_time
from kanpu_pos.token import TokenError, check_key_id, seal_token, token_context


class NoSealingKey(KanpuPosError):
    """No key may seal at this moment, so no card can be read; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingKey:
    """A public key of the refund centre, to seal with until `seal_until`, an aware time."""

    id: int
    public_key: X25519PublicKey = field(repr=False, compare=False)
    seal_until: datetime

    @classmethod
    def from_json(cls, row: Mapping[str, object]) -> "SealingKey":
        """Return the key of one object of `GET /v1/keys`: `id`, `public_key` (base64url) and `seal_until`.

        Raises TokenError or FieldError, both ValueErrors, when a field is missing or out of form.
        """
        key_id, seal_until = row.get("id"), row.get("seal_until")
        if not isinstance(key_id, int):
            raise TokenError("a sealing key without an id")
        check_key_id(key_id)
        until = parse_time(seal_until if isinstance(seal_until, str) else "", param=f"seal_until of key {key_id}")
        return cls(id=key_id, public_key=_public_key(row.get("public_key"), key_id), seal_until=until)

    def to_row(self) -> dict[str, object]:
        """Return the object that `from_json` takes, for keeping the key while the server is out of reach."""
        public_key = base64url.encode(self.public_key.public_bytes_raw())
        return {"id": self.id, "public_key": public_key, "seal_until": self.seal_until.isoformat()}


class VirtualReader:
    """Seals taps with the newest sealing key. Threads may share it; new keys need a new reader."""

    __slots__ = ("_newest",)

    def __init__(self, keys: Iterable[SealingKey | Mapping[str, object]]) -> None:
        """Take the keys as `Client.keys()` returns them or as the JSON objects of `GET /v1/keys`."""
        parsed = [key if isinstance(key, SealingKey) else SealingKey.from_json(key) for key in keys]
        self._newest = max(parsed, key=lambda key: (key.seal_until, key.id), default=None)

    @property
    def seal_until(self) -> datetime | None:
        """Until when this reader can seal, an aware time; None without keys."""
        return self._newest.seal_until if self._newest else None

    def sealing_key(self, now: datetime) -> SealingKey:
        """Return the key with the latest `seal_until` (then the highest id), if that is after `now`.

        Raises NoSealingKey when it is not, or when there is no key at all.
        """
        if self._newest is None:
            raise NoSealingKey("the reader has no sealing keys: fetch them with GET /v1/keys")
        if self._newest.seal_until <= now:
            raise NoSealingKey(
                f"at {now.isoformat()} every sealing key of the reader is over; the last, "
                f"key {self._newest.id}, ended at {self._newest.seal_until.isoformat()}: "
                "fetch new ones with GET /v1/keys, and check this machine's clock"
            )
        return self._newest

    def seal(self, card: VirtualCard, *, terminal: str, seq: int, now: datetime) -> str:
        """Tap `card` for the purchase (terminal, seq) and return the token; `now` is an aware time.

        Raises FieldError for a bad terminal code or seq and NoSealingKey, both before the card is tapped, and
        CounterExhaustedError when the card is worn out.
        """
        context = token_context(terminal, seq)
        key = self.sealing_key(now)
        return seal_token(card.tap(context), key_id=key.id, public_key=key.public_key, context=context)


def _public_key(text: object, key_id: int) -> X25519PublicKey:
    try:
        return X25519PublicKey.from_public_bytes(base64url.decode(text if isinstance(text, str) else ""))
    except ValueError:
        raise TokenError(f"the public key of sealing key {key_id} is not 32 bytes of base64url") from None
