"""base64url without padding (RFC 4648, section 5), in its one canonical spelling."""

import base64


def encode(data: bytes) -> str:
    """Return `data` as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes that `text` spells.

    Raises ValueError for padding, foreign characters and spare trailing bits that are not zero (RFC 4648,
    section 3.5): two spellings of the same bytes would let one token pass for two.
    """
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if encode(data) != text:
        raise ValueError("not canonical base64url without padding")
    return data
