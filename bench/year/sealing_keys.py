"""The live sealing key, as `GET /v1/keys` gives it to readers."""

from kanpu_pos import SealingKey
from kanpu_pos.base64url import encode

from apps.residents.models import SealingKey as PublicKey


def sealing_key() -> SealingKey:
    """The key that readers seal with."""
    key = PublicKey.objects.get(mode="live")
    row = {"id": key.pk, "public_key": encode(bytes(key.public_key)), "seal_until": key.seal_until.isoformat()}
    return SealingKey.from_json(row)
