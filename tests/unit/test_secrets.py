"""Secrets of a host: from the environment or from files, earlier ones beside the present one."""

from pathlib import Path

import pytest

from config.env import earlier_secrets

NAME = "KANPU_SECRET_KEY_FALLBACKS"


def test_earlier_secrets_come_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert earlier_secrets(NAME) == []
    monkeypatch.setenv(NAME, "one, two,")
    assert earlier_secrets(NAME) == ["one", "two"]
    (tmp_path / "old").write_text("three\nfour\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "old"))
    assert earlier_secrets(NAME) == ["three", "four"]
