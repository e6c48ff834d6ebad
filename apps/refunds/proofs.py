"""What auditors sign and residents check: a run's digest and the secret that salts its leaves. Pure."""

import hashlib
import secrets
from typing import NamedTuple

SECRET_BYTES = 32


class RunFigures(NamedTuple):
    """What a run's digest commits to. Sums in minor units, hashes in hex; no clock, so a repeat is the same."""

    year: int
    run: int
    scheme_sha256: str
    residents: int
    refunded: int
    entitled_minor: int
    due_minor: int
    statements: int
    tree_size: int
    root: str
    evidence_sha256: str


def new_secret() -> bytes:
    """A fresh secret for the salts of a run."""
    return secrets.token_bytes(SECRET_BYTES)


def run_digest(figures: RunFigures) -> str:
    """SHA-256, in hex, of the figures as lines `name value`: what auditors sign."""
    lines = "".join(f"{name} {value}\n" for name, value in figures._asdict().items())
    return hashlib.sha256(f"kanpu run v1\n{lines}".encode()).hexdigest()


def evidence_sha256(files: dict[str, str]) -> str:
    """One SHA-256 for all files that a run reads, from path to SHA-256."""
    return hashlib.sha256("".join(f"{files[path]} {path}\n" for path in sorted(files)).encode()).hexdigest()
