"""What a web server writes of answers that fail: one line each, with the number of the request, and short."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from django.conf import settings

from apps.simulator.processes import Processes, free_port, web_command

KEY = "kp_test_" + "a" * 32
NOBODY = "postgresql://app:secret@127.0.0.1:1/kanpu"  # where no server listens


@pytest.fixture
def without_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """The address and the log of a web server whose PostgreSQL is away."""
    monkeypatch.setenv("DATABASE_URL", NOBODY)
    running, port = Processes(Path(settings.BASE_DIR), tmp_path), free_port()
    running.start("web", web_command(port), with_keys=False)
    running.wait_for(f"http://127.0.0.1:{port}/health/live")
    yield f"http://127.0.0.1:{port}", tmp_path / "web.log"
    running.stop()


def ask(web: str, path: str, **headers: str) -> tuple[int, str]:
    """The answer's status, and the number of the request."""
    number = str(uuid4())
    return httpx.get(f"{web}{path}", headers={"Request-Id": number} | headers, timeout=30).status_code, number


def test_while_postgresql_is_away_each_answer_is_one_short_line_that_says_what_failed(
    without_database: tuple[str, Path],
) -> None:
    web, log = without_database
    asked = [ask(web, "/v1/keys", Authorization=f"Bearer {KEY}") for _ in range(30)]
    asked += [ask(web, "/", Cookie="sessionid=abcdefghabcdefghabcdefghabcdefgh") for _ in range(30)]
    assert [status for status, _ in asked] == [503] * 30 + [500] * 30
    told = [line for line in (json.loads(text) for text in log.read_text().splitlines()) if "request_id" in line]
    assert sorted(line["request_id"] for line in told) == sorted(number for _, number in asked)
    assert {(line["level"], line["message"], line["error"]["type"]) for line in told} == {
        ("ERROR", "answered", "django.db.utils.OperationalError")
    }
    assert {(line["route"], line["status"]) for line in told} == {("v1/keys", 503), ("", 500)}
    assert not any(line["logger"].startswith("django") for line in map(json.loads, log.read_text().splitlines()))
    frames = [line for line in told if "frames" in line["error"]]
    assert 1 <= len(frames) <= 2 * 3  # of each failure one a process
    assert all(len(json.dumps(line)) < 600 for line in told if "frames" not in line["error"])
