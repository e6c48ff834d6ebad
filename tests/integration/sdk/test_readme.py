"""What sdk/README.md tells a reader to type works, and the package's figures agree with each other."""

import re
import tomllib
from pathlib import Path
from typing import Any

import kanpu_pos
import pytest

from .misbehaving import serving

SDK = Path(__file__).parents[3] / "sdk"
CARDS = f"""\
resident_ref,resident_code,card_id,card_key,valid_from,valid_until
r-1,K7PW-33QX,{"0a" * 16},{"0b" * 32},2017-04-01,2027-03-31
"""


def test_the_readmes_snippets_run_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cards.csv").write_text(CARDS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", (SDK / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) == 3
    names: dict[str, Any] = {}
    with serving() as server:
        exec("\n".join(snippets).replace("https://pos.kanpu.example", server.url), names)
    assert list(server.records) == [("tokyo-0001-03", 1042)]
    assert names["card"].counter == 1
    assert capsys.readouterr().out.startswith("records 0 to 0 are acknowledged\n")


def test_the_readme_names_only_what_the_package_has() -> None:
    words = re.findall(r"`(\w+(?:Error|Key))`", (SDK / "README.md").read_text(encoding="utf-8"))
    assert words
    assert [word for word in words if not hasattr(kanpu_pos, word)] == []


def test_the_version_is_that_of_the_package() -> None:
    assert tomllib.loads((SDK / "pyproject.toml").read_text())["project"]["version"] == kanpu_pos.VERSION
