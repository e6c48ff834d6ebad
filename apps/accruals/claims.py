"""The code on a receipt, 16 random bytes in 26 Crockford base32 characters, and the claim that tills report. Pure.

Source of the alphabet: Douglas Crockford, Base 32 (no I, L, O, U; what is misread as 1 or 0 is taken for it).
"""

import base64
import hashlib
import unicodedata
from typing import Final

from apps.kernel.errors import KanpuError

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 26
DASHES: Final = dict.fromkeys(map(ord, "-‐‑‒–—―−ー"))  # as keyboards write them: none stands in a code
MISREAD: Final = str.maketrans("OILoil", "011011")


class ClaimCodeInvalid(KanpuError):
    """The code was not typed as it is printed."""

    code = "claim_code_invalid"


def claim_of(code: str) -> str:
    """What a till reports of this code: base64url SHA-256 of its 16 bytes.

    Spaces, dashes, case and width do not matter. Raises ClaimCodeInvalid.
    """
    plain = "".join(unicodedata.normalize("NFKC", code).translate(DASHES).split()).translate(MISREAD).upper()
    if len(plain) != LENGTH or not set(plain) <= set(ALPHABET):
        raise ClaimCodeInvalid(f"A code has {LENGTH} letters and digits, without I, L, O and U. Check it again.")
    number = 0
    for character in plain:
        number = number * 32 + ALPHABET.index(character)
    if number >> 128:
        raise ClaimCodeInvalid("No receipt has this code: its first character is at most 7. Check it again.")
    digest = hashlib.sha256(number.to_bytes(16, "big")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
