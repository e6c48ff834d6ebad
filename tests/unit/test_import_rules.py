"""The import rules must fail on a violation: one of each is planted in a copy of the source."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINTER = Path(sys.executable).parent / "lint-imports"
PLANTED = [
    ("apps.schemes.queries", "apps.refunds.queries", "Imports go one way"),
    ("apps.purchases.queries", "apps.residents.queries", "Imports go one way"),
    ("apps.refunds.models", "apps.refunds.operations", "Inside an app"),
    ("apps.refunds.queries.runs", "config.settings", "Nothing imports config"),
    ("apps.refunds.assessment", "django", "are pure"),
    ("apps.refunds.verification.spend", "apps.refunds.assessment", "share nothing"),
    ("kanpu_pos.client", "apps.kernel.errors", "knows nothing of the server"),
    ("apps.residents.queries.keys", "kanpu_pos.card", "Only the simulator"),
    ("apps.audit.merkle", "django", "are pure"),
    ("kanpu_verify.merkle", "apps.audit.merkle", "stands alone"),
    ("apps.audit.merkle", "kanpu_verify.merkle", "code of its own"),
]


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


@pytest.fixture(scope="module")
def broken(copy: Path) -> str:
    """What the linter says, in one line, of code that is as it stands but for what is planted."""
    before = lint(copy)
    assert before.returncode == 0, before.stdout
    for module, imported, _ in PLANTED:
        path = copy / f"{module.replace('.', '/')}.py"
        path.write_text(f"{path.read_text()}\nimport {imported}\n")
    return " ".join(lint(copy).stdout.split())


@pytest.mark.parametrize(("module", "imported", "rule"), PLANTED)
def test_the_rules_hold_as_the_code_stands_and_a_planted_violation_is_found(
    broken: str, module: str, imported: str, rule: str
) -> None:
    _, _, said = broken.partition("Broken contracts")
    of_rule = [part for part in re.split(r" (?=[A-Z][^.]*? -{5,} )", said) if rule in part.partition(" ---")[0]]
    assert any(f"- {module} -> {imported} (l." in part for part in of_rule)
