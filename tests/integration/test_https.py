"""In production pages are led to https, and the API refuses: a till that was led there would send its key in clear."""

from typing import Any

import pytest
from django.test import Client

KEY = "Bearer kp_live_" + "x" * 43


@pytest.fixture
def client(settings: Any) -> Client:
    """A browser or a till that asks as in production."""
    settings.SECURE_SSL_REDIRECT = True
    return Client(headers={"accept-language": "en"})


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/v1/purchases", "/v1/nothing", "/v1"])
def test_the_api_refuses_what_comes_without_tls_in_words_and_leads_nowhere(client: Client, path: str) -> None:
    for answer in (client.get(path), client.post(path, b"{}", "application/json", headers={"authorization": KEY})):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "https_required")
        assert "Location" not in answer
        assert "https:// only" in answer.json()["error"]["message"]


@pytest.mark.django_db
def test_over_tls_the_api_looks_at_the_key(client: Client) -> None:
    answer = client.get("/v1/tiers", headers={"authorization": KEY}, secure=True)
    assert answer.json()["error"]["code"] == "key_invalid"


@pytest.mark.parametrize("path", ["/login", "/v10", "/docs/errors"])
def test_pages_are_led_to_https(client: Client, path: str) -> None:
    assert client.get(path)["Location"] == f"https://testserver{path}"


def test_a_balancer_asks_without_tls(client: Client) -> None:
    assert client.get("/health/live").status_code == 200
