"""What the environment says, and secrets that come from it or from files."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import urlsplit

from environs import Env

ROOT = Path(__file__).resolve().parent.parent
env = Env()


class SecretMissing(RuntimeError):
    """A production secret was not given."""


def secret(name: str, *, production: bool) -> str:
    """The secret `name` from the environment, or from the file that `name`_FILE names.

    In development one is drawn at random and kept in `var/secrets/`.
    Raises SecretMissing in production when neither is set.
    """
    if value := given(name):
        return value
    if production:
        raise SecretMissing(f"Set {name} or {name}_FILE: production starts with no secret of its own making.")
    return _kept(ROOT / "var" / "secrets" / name.lower())


def given(name: str) -> str:
    """A secret that may be left out: from the environment, or the file that `name`_FILE names, or empty."""
    if value := env.str(name, ""):
        return value
    path = env.str(f"{name}_FILE", "")
    return Path(path).read_text().strip() if path else ""


def earlier_secrets(name: str) -> list[str]:
    """Secrets that still check what was signed with them: from `name`, or a line each in the file `name`_FILE names."""
    if path := env.str(f"{name}_FILE", ""):
        return Path(path).read_text().split()
    return [value.strip() for value in env.str(name, "").split(",") if value.strip()]


def origin_of(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _kept(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        with NamedTemporaryFile("w", dir=path.parent) as file:  # readable by its owner only, and whole when it appears
            file.write(secrets.token_urlsafe(48))
            file.flush()
            with suppress(FileExistsError):  # another process was first: its secret is the one
                os.link(file.name, path)
    return path.read_text()
