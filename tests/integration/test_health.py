"""What balancers are told of a process: that it lives, and whether it can work, or which part keeps it from that."""

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

pytestmark = pytest.mark.django_db
DEAD_REDIS = "redis://127.0.0.1:1/0"


def parts_of(client: Client, *, status: int) -> dict[str, str]:
    answer = client.get("/health/ready")
    assert (answer.status_code, "Retry-After" in answer.headers) == (status, status == 503)
    parts: dict[str, str] = answer.json()["parts"]
    return parts


def test_a_process_with_all_it_needs_is_ready(client: Client) -> None:
    found = parts_of(client, status=200)
    assert (found["database"], found["migrations"], found["redis"]) == ("ok", "ok", "ok")


def test_a_process_whose_database_lacks_a_migration_is_not(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'purchases' AND name LIKE '0002%'")
    assert parts_of(client, status=503)["migrations"] == "missing"


def test_a_database_that_is_ahead_of_the_code_is_fine(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('purchases', '9999_later', now())")
    assert parts_of(client, status=200)["migrations"] == "ok"


def test_without_redis_a_process_is_ready_all_the_same_and_says_so(client: Client, settings: Any) -> None:
    settings.CELERY_BROKER_URL = DEAD_REDIS
    assert parts_of(client, status=200)["redis"] == "away"


@pytest.mark.parametrize(("setting", "part"), [("KANPU_KEYRING", "keyring"), ("KANPU_VAULT_KEYS", "vault_keys")])
def test_a_process_whose_key_file_is_gone_or_damaged_is_not_ready(
    client: Client, settings: Any, tmp_path: Path, setting: str, part: str
) -> None:
    assert parts_of(client, status=200)[part] in ("ok", "not given")
    setattr(settings, setting, tmp_path / "keys.json")
    assert parts_of(client, status=503)[part] == "unreadable"
    (tmp_path / "keys.json").write_text("{}")
    assert parts_of(client, status=503)[part] == "unreadable"


def test_that_a_process_lives_takes_nothing_around_it(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/health/live")
    assert (answer.status_code, answer.json(), answer.cookies) == (200, {"status": "live"}, {})
