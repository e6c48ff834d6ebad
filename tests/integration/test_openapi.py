"""The OpenAPI document: complete, true of its examples, and true of the running server."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from apps.merchants.catalogue import CATALOGUE
from apps.merchants.openapi import PUBLIC_KEY_EXAMPLE
from tests.till import line_of
from tests.world import TEST_TERMINAL, World

CASES = int(os.environ.get("KANPU_FUZZ_CASES", "0"))  # `make fuzz` sets it
HERE = Path(__file__).parent
NOT_IN_IT = {"/v1/openapi.json", "/v1/docs"}


@pytest.fixture
def document(client: Client, db: None) -> dict[str, Any]:
    response = client.get("/v1/openapi.json", headers={"accept-language": "en"})
    assert response.headers["Content-Type"] == "application/json"
    content: dict[str, Any] = response.json()
    return content


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def examples(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Name, schema and value of every example of a body."""
    for operation in operations(document):
        places = [(f"{operation['operationId']} {status}", answer) for status, answer in operation["responses"].items()]
        if "requestBody" in operation:
            places.append((operation["operationId"], operation["requestBody"]))
        for place, body in places:
            content = body["content"]["application/json"]
            for name, example in content["examples"].items():
                yield f"{place}: {name}", content["schema"], example["value"]


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()
    for _, schema, _ in examples(document):
        jsonschema_rs.meta.validate(schema)


def test_every_address_of_the_api_is_in_it(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == set(addresses(get_resolver())) - NOT_IN_IT


def addresses(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        path = before + re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern, path)
        elif isinstance(pattern, URLPattern) and path.startswith("v1/"):
            yield f"/{path}"


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    found = list(examples(document))
    for name, schema, value in found:
        validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        assert [error.message for error in validator.iter_errors(value)] == [], name
    assert len(found) > 100


def test_every_error_code_is_an_example_of_its_status(document: dict[str, Any]) -> None:
    seen: dict[str, set[str]] = {}
    for operation in operations(document):
        for status, answer in operation["responses"].items():
            for code in re.findall(r'"doc_url": "/docs/errors#(\w+)"', json.dumps(answer)):
                seen.setdefault(code, set()).add(status)
    assert seen == {code: {str(entry.status or 200)} for code, entry in CATALOGUE.items()}


def test_messages_come_in_the_language_asked_for(client: Client, db: None) -> None:
    text = client.get("/v1/openapi.json", headers={"accept-language": "ja"}).content.decode()
    assert "APIキー" in text
    assert "Send it as" not in text


def test_the_sealed_example_is_sealed(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/purchases"]["post"]["requestBody"]["content"]["application/json"]
    batch = content["examples"]["sealed"]["value"]
    digest = hashlib.sha256(f"kanpu chain v1\n{batch['terminal']}".encode()).digest()
    for record in batch["purchases"]:
        digest = hashlib.sha256(digest + line_of(record).encode()).digest()
    assert read(batch["seal"]["head"]) == digest
    Ed25519PublicKey.from_public_bytes(read(PUBLIC_KEY_EXAMPLE)).verify(read(batch["seal"]["signature"]), digest)


def read(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- against the running server ---


def play(web: str, key: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Schemathesis as a person runs it; every check, every phase, stateful too."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"),
        *(f"{web}/v1/openapi.json", "--url", web, "--header", f"Authorization: Bearer {key}"),
        *("--checks", "all", "--no-color", "--generation-database", "none", *options),
    ]
    root = Path(str(settings.BASE_DIR))
    environment = os.environ | {"KANPU_FUZZ_TERMINAL": TEST_TERMINAL}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def generated(output: str) -> int:
    """How many requests were made, as the summary says."""
    found = re.search(r"([\d,]+) generated", output)
    return int(found[1].replace(",", "")) if found else 0


@pytest.mark.django_db(transaction=True)
def test_the_server_keeps_what_the_document_says(world: World, web: str) -> None:
    done = play(
        web, world.test_key, "--phases", "examples,fuzzing,stateful", "--max-examples", "12", "--seed", "20170403"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert generated(done.stdout) >= 200, done.stdout


@pytest.mark.skipif(not CASES, reason="the long play of the API: make fuzz")
@pytest.mark.timeout(7200)
@pytest.mark.django_db(transaction=True)
def test_the_server_keeps_it_however_long_it_is_asked(world: World, web: str) -> None:
    per_operation = max(1, CASES // 9)
    done = play(
        web, world.test_key, "--max-examples", str(per_operation), *os.environ.get("KANPU_FUZZ_ARGS", "").split()
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert generated(done.stdout) >= CASES


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "path",
    [
        "/v1/keys?mode=tset",
        "/v1/tiers?on=",
        "/v1/tiers?on=20170403",
        "/v1/purchases?status=",
        "/v1/purchases?changed_after=2017-04-03T09:30:00",
        "/v1/purchases?changed_after=9999-12-31T23:59:59-09:00",
    ],
)
def test_a_parameter_that_is_none_is_named(world: World, web: str, path: str) -> None:
    answer = httpx.get(f"{web}{path}", headers={"Authorization": f"Bearer {world.test_key}"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == re.findall(r"\?(\w+)=", path)[0]


@pytest.mark.django_db(transaction=True)
def test_any_offset_of_rfc_3339_is_understood(world: World, web: str) -> None:
    headers = {"Authorization": f"Bearer {world.test_key}"}
    params = {"changed_after": "2017-04-03T09:30:00-23:47"}  # PostgreSQL itself knows none of 16 hours or more
    assert httpx.get(f"{web}/v1/purchases", params=params, headers=headers).json()["purchases"] == []


@pytest.mark.django_db(transaction=True)
def test_the_document_needs_no_key_and_options_tell_nothing(web: str) -> None:
    assert httpx.get(f"{web}/v1/openapi.json").status_code == 200
    answer = httpx.options(f"{web}/v1/keys")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
