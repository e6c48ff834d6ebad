"""Django's own look at production settings finds nothing."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "KANPU_PRODUCTION": "1",
    "KANPU_SECRET_KEY": "a key of production, longer than fifty characters, drawn once and kept",
    "KANPU_FACTOR_KEY": "another key of production, longer than fifty characters, drawn once",
    "KANPU_HOSTS": "kanpu.example",
    "DATABASE_URL": "postgresql://app@127.0.0.1:1/kanpu",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def check(**changed: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("KANPU_", "DJANGO_"))}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    environment |= PRODUCTION | changed
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_production_settings_are_found_safe() -> None:
    done = check()
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout + done.stderr


def test_cookies_are_of_this_host_alone_and_a_session_ends_after_half_a_day() -> None:
    names = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_AGE", "SESSION_COOKIE_SAMESITE")
    asked = f"from django.conf import settings; print(*(getattr(settings, name) for name in {names}))"
    environment = dict(os.environ) | PRODUCTION | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["__Host-session", "__Host-csrf", "43200", "Lax"]


def test_without_a_secret_production_does_not_start() -> None:
    done = check(KANPU_FACTOR_KEY="")
    assert done.returncode != 0
    assert "Set KANPU_FACTOR_KEY" in done.stderr
