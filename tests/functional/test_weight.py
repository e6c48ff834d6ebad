"""What an old phone has to load for the pages that residents open most."""

from typing import Final

import httpx
import pytest
from django.conf import settings

from tests.addresses import RESIDENT_A
from tests.markup import Markup
from tests.pages import YEAR
from tests.site import furnish, people
from tests.site_heap import heap
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
AT_MOST_BYTES: Final = 100_000
PAGES: Final = {f"/year/{YEAR}": 10, f"/purchases?first={YEAR}-01-01": 25}  # and how many rows at least


def test_pages_with_their_sheets_and_scripts_are_light(web: str, world: World) -> None:
    """Of a resident with hundreds of purchases, decisions and held purchases; nothing compressed."""
    site = furnish(world)
    heap(site)
    cookies = {settings.SESSION_COOKIE_NAME: people(site)[RESIDENT_A].cookies["sessionid"].value}
    for language in ("ja", "en"):
        headers = {"accept-language": language, "accept-encoding": "identity"}
        with httpx.Client(base_url=web, cookies=cookies, headers=headers) as client:
            for path, rows in PAGES.items():
                assert_light(client, path, rows)


def assert_light(client: httpx.Client, path: str, rows: int) -> None:
    """The page has that many rows, and all that it loads is there."""
    page = client.get(path)
    assert page.status_code == 200
    assert page.text.count("<tr") >= rows, path
    loaded = [client.get(each) for each in Markup(page.text).loaded]
    assert [answer.status_code for answer in loaded] == [200] * len(loaded)
    sizes = {str(answer.url.path): len(answer.content) for answer in (page, *loaded)}
    assert sum(sizes.values()) < AT_MOST_BYTES, sizes
