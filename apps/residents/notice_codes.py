"""The one-time codes of letters and of proxies, and the numbers by which letters that came back are known. Pure."""

import hashlib
import secrets
import unicodedata
from typing import Final

CODE_BITS: Final = 80
CODE_LENGTH: Final = 16
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
MISREAD: Final = str.maketrans("OIL", "011")
NUMBER_DIGITS: Final = 8


def new_code() -> str:
    """A fresh code of 80 random bits: 16 characters."""
    number = secrets.randbits(CODE_BITS)
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(CODE_LENGTH)))


def grouped(code: str) -> str:
    """A code as it is printed: groups of 4."""
    return " ".join(code[at : at + 4] for at in range(0, len(code), 4))


def typed(text: str) -> str:
    """A code as it was meant: any width and case, spaces and hyphens left out, O, I and L as 0, 1 and 1."""
    plain = unicodedata.normalize("NFKC", text).upper()
    return "".join(c for c in plain if c.isalnum()).translate(MISREAD)


def code_hash(code: str) -> bytes:
    """What is kept of a code: SHA-256, 32 bytes. 80 random bits cannot be guessed, so it needs no salt."""
    return hashlib.sha256(f"kanpu notice code v1\n{code}".encode()).digest()


def proxy_code_hash(code: str) -> bytes:
    """The same of a code by which somebody is named as proxy: SHA-256, 32 bytes."""
    return hashlib.sha256(f"kanpu proxy code v1\n{code}".encode()).digest()


def notice_number(pk: int) -> str:
    """The number on a letter: that of its row, and a check digit (Luhn, ISO/IEC 7812-1), so that no other is hit."""
    digits = f"{pk:0{NUMBER_DIGITS}d}"
    return f"{digits}-{_check_digit(digits)}"


def noticed_pk(text: str) -> int | None:
    """The row that a letter's number names, None where a digit is wrong."""
    digits = "".join(c for c in unicodedata.normalize("NFKC", text) if c in "0123456789")
    if len(digits) <= NUMBER_DIGITS or digits[-1] != _check_digit(digits[:-1]):
        return None
    return int(digits[:-1])


def _check_digit(digits: str) -> str:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[::-2])
    return str(-(sum(doubled) + sum(map(int, digits[-2::-2]))) % 10)
