"""Servers' logs say what was done; a command that a person runs says its result, and else what is wrong only."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import User

from apps.audit.models import Event
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def create_merchant(database_url: str, **settings_given: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "create_merchant", "Lawson", "--json"], cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": database_url} | settings_given, capture_output=True, text=True, check=True,
    )  # fmt: skip


def test_a_command_leaves_no_lines_of_a_log_beside_its_result_unless_asked(world: World, database_url: str) -> None:
    done = create_merchant(database_url)
    assert Event.objects.filter(action="merchant.create", actor__startswith="operator:").exists()
    assert (done.stderr, json.loads(done.stdout)["name"]) == ("", "Lawson")
    told = create_merchant(database_url, KANPU_LOG_LEVEL="INFO").stderr.splitlines()
    assert "merchant.create" in {json.loads(line)["action"] for line in told}


def test_a_web_server_says_each_act_with_its_request(web: str, web_logs: Path) -> None:
    User.objects.create_user("hanako")
    with httpx.Client(base_url=web, timeout=60) as browser:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get("/login").text)
        assert token
        form = {"csrfmiddlewaretoken": token[1], "username": "hanako", "password": "a wrong password"}
        answer = browser.post("/login", data=form)
    lines = [json.loads(line) for line in (web_logs / "web.log").read_text().splitlines()]
    of_it = [
        line
        for line in lines
        if line.get("request_id") == answer.headers["Request-Id"] and line["logger"].startswith("apps.")
    ]
    assert [(line["message"], line.get("action")) for line in of_it] == [
        ("recorded", "sign_in.failed"), ("answered", None),
    ]  # fmt: skip
