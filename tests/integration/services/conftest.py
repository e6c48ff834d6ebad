"""Made-up checkouts: a prepared one for each test, and an empty one."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.services.checkout import Project, made_up_project


@pytest.fixture(scope="module")
def template() -> Iterator[Project]:
    """A checkout whose servers have been set up; setting up is the slow part of these tests."""
    with made_up_project() as made:
        done = made.command("exec", "--", "true")
        assert (done.returncode, done.stderr) == (0, "")
        yield made


@pytest.fixture
def project(template: Project) -> Iterator[Project]:
    """A checkout that was used before."""
    with made_up_project() as made:
        subprocess.run(["cp", "-a", template.root / "var", made.root], check=True)
        yield made


@pytest.fixture
def new_project() -> Iterator[Project]:
    """A checkout that was never used."""
    with made_up_project() as made:
        yield made
