"""The developers' pages: complete in both languages, fit for a phone, and true: their commands are run."""

import json
import os
import re
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from apps.merchants.catalogue import CATALOGUE
from apps.merchants.docs.pages import FOLDER, SOURCES, read_page
from apps.merchants.remedies import REMEDIES
from apps.simulator.processes import Processes
from tests.pages import assert_fits_in_both_languages
from tests.world import World

ADDRESSES = [f"/docs/{name}" for name in SOURCES]
ALL_PAGES = [*ADDRESSES, "/docs/errors", "/v1/docs"]


def blocks(name: str, language: str = "", kind: str = "sh") -> list[str]:
    """The code blocks of a kind in a page's file, in order."""
    text = (FOLDER / f"{SOURCES[name]}{language}.md").read_text()
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_link_leads_somewhere(client: Client, db: None, language: str) -> None:
    @cache
    def get(address: str) -> tuple[int, str]:
        answer = client.get(address, headers={"accept-language": language})
        return answer.status_code, answer.content.decode() if not answer.streaming else ""

    for address in [*ADDRESSES, "/docs/errors"]:
        status, page = get(address)
        assert status == 200, address
        links = re.findall(r'href="([^"]+)"', page)
        assert not [link for link in links if ".md" in link], address
        for link in links:
            path, _, anchor = link.partition("#")
            status, found = get(path or address)
            assert status in (200, 302) or path.startswith("/static/"), link
            assert not anchor or f'id="{anchor}"' in found, link


@pytest.mark.parametrize("name", SOURCES)
def test_both_languages_have_the_same_parts(name: str) -> None:
    english, japanese = read_page(name, "en"), read_page(name, "ja")
    assert [heading.id for heading in english.headings] == [heading.id for heading in japanese.headings]
    for kind in ("sh", "json"):
        assert blocks(name, kind=kind) == blocks(name, ".ja", kind)
    assert english.html.count("<li>") == japanese.html.count("<li>")
    assert english.html.count("<tr>") == japanese.html.count("<tr>")
    assert set(re.findall(r"<code>(\w+)</code>", english.html)) == set(re.findall(r"<code>(\w+)</code>", japanese.html))


def test_every_error_says_what_to_do_in_its_group() -> None:
    said = {code: remedy for remedies in REMEDIES.values() for code, remedy in remedies.items()}
    assert set(said) == set(CATALOGUE)
    assert sum(map(len, REMEDIES.values())) == len(CATALOGUE)
    whole_request = next(iter(REMEDIES.values()))
    assert set(whole_request) == {code for code, entry in CATALOGUE.items() if entry.status}


def test_the_protocol_names_every_error_of_reporting() -> None:
    named = set(re.findall(r"<code>(\w+)</code>", read_page("protocol", "en").html))
    assert {code for code in CATALOGUE if not code.startswith("terminal_")} - named == set()


def test_the_commands_show_the_address_of_the_server_that_is_asked(client: Client, db: None) -> None:
    page = client.get("/docs/first-purchase", headers={"host": "127.0.0.1:8123"}).content.decode()
    assert "export KANPU_URL=http://127.0.0.1:8123\n" in page
    assert "kanpu.example" not in page


@pytest.mark.django_db(transaction=True)
def test_the_first_purchase_works_as_written(world: World, web: str, workers: Processes, tmp_path: Path) -> None:
    answers = run_all(blocks("first-purchase"), tmp_path, web, world.test_key)
    counts = [re.search(r'"accepted":\d+,"duplicates":\d+,"rejected":\d+', answer) for answer in answers]
    assert [found[0] for found in counts if found] == [
        '"accepted":1,"duplicates":0,"rejected":0',
        '"accepted":0,"duplicates":1,"rejected":0',
        '"accepted":1,"duplicates":0,"rejected":0',
    ]
    for shown in blocks("first-purchase", kind="json"):
        assert any(json.loads(shown) == json.loads(answer) for answer in answers if answer.startswith('{"accepted"'))
    terminal = (tmp_path / "terminal").read_text().strip()
    assert settled(web, world.test_key, terminal) == {1: "counted", 2: "counted"}
    second = settled(web, world.test_key, f"{terminal}-2")
    assert second == {1: "counted", 2: "unclaimed", 3: "held", 4: "counted", 5: "counted"}
    closing = get(web, world.test_key, f"/v1/terminals/{terminal}-2")["last_closing"]
    assert closing["agrees"] is True


def run_all(scripts: list[str], folder: Path, web: str, key: str) -> list[str]:
    """Each block's output. One shell runs them all; the library is installed already, and the key is the test's."""
    mark = "\n--- next ---\n"
    own = [line for script in scripts for line in [script, f"printf '{mark}'"] if not line.startswith("pip install")]
    text = "\n".join(["set -eu", *own, 'echo "$TERMINAL" > terminal'])
    text = re.sub(r"^export KANPU_(URL|POS_KEY)=.*$", "", text, flags=re.MULTILINE)
    path = f"{Path(str(settings.BASE_DIR)) / '.venv' / 'bin'}:{os.environ['PATH']}"
    environment = os.environ | {"KANPU_URL": web, "KANPU_POS_KEY": key, "PATH": path}
    done = subprocess.run(["sh", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [answer.strip() for answer in done.stdout.split(mark)]


def get(web: str, key: str, path: str) -> dict[str, Any]:
    content: dict[str, Any] = httpx.get(f"{web}{path}", headers={"Authorization": f"Bearer {key}"}).json()
    return content


def settled(web: str, key: str, terminal: str) -> dict[int, str]:
    """What became of a terminal's records, once workers have decided."""
    give_up_at = time.monotonic() + 30
    while True:
        rows = get(web, key, f"/v1/purchases?terminal={terminal}")["purchases"]
        found = {row["seq"]: row["status"] for row in rows}
        if "received" not in found.values() or time.monotonic() > give_up_at:
            return found
        time.sleep(0.2)


# --- in a browser ---


@pytest.mark.browser
@pytest.mark.parametrize("address", ALL_PAGES)
def test_the_pages_fit_and_nothing_is_blocked(live_server: Any, page: Page, address: str) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{live_server.url}{address}", wait_until="networkidle")
    if address == "/v1/docs":
        expect(page.get_by_text("/v1/terminals/{code}/enrolment-codes")).to_be_visible()
        page.get_by_role("button", name="Report purchases").click()
        expect(page.get_by_text("Unknown fields are ignored.")).to_be_visible()
    page.context.add_cookies([{"name": "django_language", "value": "ja", "url": live_server.url}])
    page.reload(wait_until="networkidle")
    assert_fits_in_both_languages(page)
    assert said == []


@pytest.mark.browser
def test_a_developer_finds_the_way(live_server: Any, page: Page) -> None:
    page.goto(f"{live_server.url}/login")
    page.get_by_role("link", name="For developers of tills").click()
    page.get_by_role("link", name="First purchase in ten minutes").click()
    expect(page.locator("pre").first).to_contain_text(f"export KANPU_URL={live_server.url}")
    page.get_by_role("article").get_by_role("link", name="guide").click()
    page.get_by_role("link", name="Going live").click()
    expect(page.locator("#going-live")).to_be_in_viewport()
    page.get_by_role("button", name="日本語").click()
    expect(page.get_by_role("heading", name="本番への移行")).to_be_visible()
