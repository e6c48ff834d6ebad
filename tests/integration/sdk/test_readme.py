"""What sdk/README.md tells a reader to type works, and the package's figures agree with each other."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import Any

import kanpu_pos
import pytest
from django.utils import timezone
from kanpu_pos import Client, Till
from kanpu_pos.gateway import Gateway

from apps.accruals.operations.test_cards import make_test_cards
from apps.merchants.models import Merchant
from apps.merchants.operations import enrol_terminal, issue_enrolment_code
from tests.world import World

SDK = Path(__file__).parents[3] / "sdk"
README = (SDK / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def world_of_the_readme(world: World, web: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The server with the README's terminals, and what its address, key and code are there. In an empty folder."""
    merchant = Merchant.objects.get(name="Tests")
    terminals = [enrol_terminal(merchant, f"tokyo-0001-0{n}", at=timezone.now(), actor="test") for n in (3, 4, 5, 6)]
    make_test_cards(at=timezone.now(), actor="test")
    monkeypatch.chdir(tmp_path)
    code = issue_enrolment_code(terminals[1].pk, at=timezone.now(), actor="test").enrolment_code
    return {"https://pos.kanpu.example": web, "kp_test_0123456789abcdef": world.test_key, "ONE-TIME-CODE": code}


def replaced(text: str, real: dict[str, str]) -> str:
    for written, meant in real.items():
        text = text.replace(written, meant)
    return text


@pytest.mark.django_db(transaction=True)
def test_the_python_snippets_run_one_after_another(
    world_of_the_readme: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    snippets = blocks("python")
    assert len(snippets) == 8
    exec(replaced("\n".join(snippets), world_of_the_readme), {})
    said = capsys.readouterr().out
    for words in ("Food and drink  ¥1,080", "records 0 to 1 are acknowledged"):
        assert words in said


@pytest.mark.django_db(transaction=True)
def test_the_commands_run_one_after_another(world_of_the_readme: dict[str, str], tmp_path: Path) -> None:
    program = tmp_path / "kanpu-pos"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m kanpu_pos.cli "$@"\n')
    program.chmod(0o755)
    [commands] = blocks("sh")
    done = subprocess.run(
        ["sh", "-eu", "-c", replaced(commands, world_of_the_readme)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(SDK)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "6 records sent, 0 of them rejected" in done.stdout
    assert "not sealed, next number 7\n0 records wait" in done.stdout


@pytest.mark.django_db(transaction=True)
def test_the_requests_to_the_gateway_are_answered(world_of_the_readme: dict[str, str], tmp_path: Path) -> None:
    server, key, _ = world_of_the_readme.values()
    client = Client(server, key, timeout_s=10)
    cards = {test.name: test.card for test in client.test_cards()}
    with client, Till(tmp_path / "till.db", terminal="tokyo-0001-03", client=client) as till:
        till.refresh()
        with Gateway(till, secret="the text of gateway-secret", port=0, test_card=cards.__getitem__) as gateway:
            thread = threading.Thread(target=gateway.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            answers = [_asked(gateway, request) for request in blocks("http")]
            gateway.shutdown()
            thread.join()
    sold, reserved = answers
    [named] = re.findall(r"The answer has (.*?)\. With", README)
    assert set(sold) == set(re.findall(r"`(\w+)`", named))
    assert (sold["with_card"], reserved) == (True, {"terminal": "tokyo-0001-03", "seq": 2})


def _asked(gateway: Gateway, request: str) -> Any:
    """Send a request as the README writes it, but to this gateway's port."""
    head, _, body = request.partition("\n\n")
    (method, address, _), *headers = (row.split(" ", 2) for row in head.split("\n"))
    named = {row[0].rstrip(":"): " ".join(row[1:]) for row in headers}
    assert named.pop("Host") == "127.0.0.1:8701"
    connection = http.client.HTTPConnection("127.0.0.1", gateway.server_port, timeout=10)
    connection.request(method, address, body=body.strip().encode(), headers=named)
    answer = connection.getresponse()
    assert answer.status == 200
    return json.load(answer)


def test_the_readme_names_only_what_the_package_has() -> None:
    words = re.findall(r"`(\w+(?:Error|Key))`", README)
    assert words
    assert [word for word in words if not hasattr(kanpu_pos, word)] == []


def test_the_version_is_that_of_the_package() -> None:
    assert tomllib.loads((SDK / "pyproject.toml").read_text())["project"]["version"] == kanpu_pos.VERSION
