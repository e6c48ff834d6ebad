"""The import rules must fail on a violation: one is planted in a copy of the source for each."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINTER = Path(sys.executable).parent / "lint-imports"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for name in ("apps", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("kanpu_pos", "kanpu_verify"):
        shutil.copytree(ROOT / "sdk" / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINTER, "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "PYTHONPATH": "."},
    )


def test_the_rules_hold_as_the_code_stands(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "rule"),
    [
        ("apps/schemes/queries.py", "import apps.refunds.queries", "Imports go one way"),
        ("apps/purchases/queries.py", "import apps.residents.queries", "Imports go one way"),
        ("apps/refunds/models.py", "import apps.refunds.operations", "Inside an app"),
        ("apps/refunds/queries/runs.py", "import config.settings", "Nothing imports config"),
        ("apps/refunds/assessment.py", "import django.db", "are pure"),
        ("apps/refunds/verification/spend.py", "import apps.refunds.assessment", "share nothing"),
        ("kanpu_pos/client.py", "import apps.kernel.errors", "knows nothing of the server"),
        ("apps/residents/queries/keys.py", "import kanpu_pos.card", "Only the simulator"),
        ("apps/audit/merkle.py", "import django.db", "are pure"),
        ("kanpu_verify/merkle.py", "import apps.audit.merkle", "stands alone"),
        ("apps/audit/merkle.py", "import kanpu_verify.merkle", "code of its own"),
    ],
)
def test_a_planted_violation_is_found(copy: Path, module: str, line: str, rule: str) -> None:
    path = copy / module
    before = path.read_text()
    path.write_text(f"{before}\n{line}\n")
    try:
        done = lint(copy)
    finally:
        path.write_text(before)
    assert done.returncode != 0
    assert "1 broken" in done.stdout or "broken" in done.stdout
    assert rule in " ".join(done.stdout.split())
