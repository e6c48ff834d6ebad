"""The folder in which the command line keeps a till: its file, where it reports, the gateway's secret, test cards."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kanpu_pos.card import VirtualCard
from kanpu_pos.client import Client
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.testing import TestCard
from kanpu_pos.till import Till
from kanpu_pos.version import VERSION

TIMEOUT_S = 10.0
GIVE_UP_AFTER_S = 30.0


class FolderError(KanpuPosError):
    """The till's folder is not set up, or a card is not where it was said to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the till reports, and for which terminal."""

    server: str
    key: str
    terminal: str


class Folder:
    """A till's folder; only its owner can read what is in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def set_up(self, settings: Settings) -> None:
        """Make the folder, and keep the settings; a till that was there stays.

        Raises SetupError for bad settings, and TillError when the till that is there is of another terminal.
        """
        Client(settings.server, settings.key, timeout_s=TIMEOUT_S).close()
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        Till(self.path / "till.db", terminal=settings.terminal).close()
        self._write("settings.json", json.dumps(asdict(settings), indent=1))

    def settings(self) -> Settings:
        """Return the settings. Raises FolderError before `set_up`."""
        try:
            return Settings(**json.loads((self.path / "settings.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise FolderError(f"there is no till in {self.path}: set one up with `kanpu-pos init`") from None
        except (ValueError, TypeError) as error:
            raise FolderError(
                f"{self.path / 'settings.json'} is damaged ({error}): run `kanpu-pos init` again"
            ) from None

    def client(self) -> Client:
        """Return a client with the kept settings."""
        kept, software = self.settings(), f"kanpu/kanpu-pos/{VERSION}"
        return Client(kept.server, kept.key, timeout_s=TIMEOUT_S, give_up_after_s=GIVE_UP_AFTER_S, software=software)

    def till(self) -> Till:
        """Open the till."""
        settings = self.settings()
        return Till(self.path / "till.db", terminal=settings.terminal, client=self.client())

    def gateway_secret(self) -> str:
        """Return the secret that programs show to the gateway; made when first asked for."""
        path = self.path / "gateway-secret"
        if not path.exists():
            self._write(path.name, secrets.token_urlsafe(32))
        return path.read_text(encoding="ascii").strip()

    def test_cards(self) -> tuple[TestCard, ...]:
        """Fetch the published test cards, and keep them for the times when the server is out of reach."""
        with self.client() as client:
            cards = client.test_cards()
        rows = {test.name: {"card_id": test.card.card_id.hex(), "card_key": test.card.card_key.hex()} for test in cards}
        self._write("test-cards.json", json.dumps(rows, indent=1))
        return cards

    def card(self, name: str) -> VirtualCard:
        """Return a card to tap: a test card by its name, or the one in a JSON file of card_id, card_key and counter.

        The counter in the file is raised before the tap, so that none is ever used twice. Raises FolderError.
        """
        path = Path(name)
        return self._card_in(path) if path.is_file() else self.test_card(name)

    def _card_in(self, path: Path) -> VirtualCard:
        try:
            row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            card = VirtualCard.from_hex(row["card_id"], row["card_key"], counter=row.get("counter", 0))
        except (ValueError, KeyError, TypeError) as error:
            raise FolderError(f"{path} is no card, a JSON object of card_id, card_key and counter: {error}") from None
        _replace(path, json.dumps({**row, "counter": card.counter + 1}))
        return card

    def test_card(self, name: str) -> VirtualCard:
        """Return a published test card by its name. Raises FolderError, and what the client raises."""
        path = self.path / "test-cards.json"
        if not path.exists():
            self.test_cards()
        rows = json.loads(path.read_text(encoding="utf-8"))
        if name not in rows:
            raise FolderError(f"{name!r} is neither a file nor a test card ({', '.join(rows)})")
        return VirtualCard.from_hex(**rows[name])

    def _write(self, name: str, text: str) -> None:
        _replace(self.path / name, text)


def _replace(path: Path, text: str) -> None:
    """Write a file that only its owner can read, so that it is there whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
