"""What the documents of safety name as control or test is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHORT = {"ti/": "tests/integration/", "tu/": "tests/unit/", "tf/": "tests/functional/"}
NAMED = re.compile(r"`((?:ti|tu|tf|apps|config|tests)/[\w/.-]+\.(?:py|html))")


@pytest.mark.parametrize("page", ["security", "threats", "privacy", "reliability"])
def test_every_file_that_a_document_of_safety_names_exists(page: str) -> None:
    named = NAMED.findall((ROOT / "docs" / f"{page}.md").read_text())
    assert named
    paths = [ROOT / (SHORT[name[:3]] + name[3:] if name[:3] in SHORT else name) for name in named]
    assert [str(path.relative_to(ROOT)) for path in paths if not path.exists()] == []
