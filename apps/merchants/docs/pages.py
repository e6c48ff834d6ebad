"""The developers' pages: Markdown files in docs/, each in English and Japanese, as HTML."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

FOLDER: Final = Path(__file__).resolve().parents[3] / "docs"
SOURCES: Final = {
    "": "developers",
    "first-purchase": "first-purchase",
    "guide": "guide",
    "protocol": "pos-api",
}  # address below /docs/: name of the file
SERVER: Final = "https://kanpu.example"  # stands in the files for the server that shows them


class Heading(NamedTuple):
    """A heading of the second level, and where it is."""

    id: str
    text: str


class Page(NamedTuple):
    """A page: its first heading, the others, and all below it as HTML."""

    title: str
    headings: Sequence[Heading]
    html: str


@lru_cache
def read_page(name: str, language: str) -> Page:
    """The page at `/docs/<name>` in a language. Both languages have the same headings, and their ids are English."""
    tokens = _tokens(name, language)
    ids = [_slug(text) for text in _texts(_tokens(name, "en"))]
    texts = _texts(tokens)
    headings = []
    for anchor, text, (_, token) in zip(ids, texts, _openings(tokens), strict=True):
        token.attrSet("id", anchor)
        if token.tag == "h2":
            headings.append(Heading(anchor, text))
    html: str = _markdown().renderer.render(tokens[3:], _markdown().options, {})
    html = html.replace("<pre>", '<pre tabindex="0">')  # so that arrow keys scroll it
    return Page(texts[0], headings, _with_addresses(html))


def _tokens(name: str, language: str) -> list[Token]:
    path = FOLDER / f"{SOURCES[name]}{'.ja' if language == 'ja' else ''}.md"
    return _markdown().parse(path.read_text())


def _openings(tokens: Sequence[Token]) -> list[tuple[int, Token]]:
    return [(index, token) for index, token in enumerate(tokens) if token.type == "heading_open"]


def _texts(tokens: Sequence[Token]) -> list[str]:
    return [re.sub(r"[`*]", "", tokens[index + 1].content) for index, _ in _openings(tokens)]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@lru_cache
def _markdown() -> MarkdownIt:
    """CommonMark with tables, which scroll by themselves on a narrow screen; no HTML of the files' own."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>\n')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return markdown


def _with_addresses(html: str) -> str:
    """Links from file to file as links from page to page."""
    addresses = {source: f"/docs/{name}" for name, source in SOURCES.items()}

    def to_page(link: re.Match[str]) -> str:
        return f'href="{addresses[link[1]]}'

    return re.sub(r'href="([a-z-]+)(?:\.ja)?\.md', to_page, html)
