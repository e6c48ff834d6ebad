"""What a page's HTML must be, read without a browser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

REFERS: Final = ("for", "aria-labelledby", "aria-describedby", "aria-controls", "list")
DATA: Final = ("application/json", "application/ld+json")


@dataclass(slots=True)
class Form:
    """Where a form goes, how, and the names of its fields."""

    action: str
    method: str
    names: list[str] = field(default_factory=list)


class Markup(HTMLParser):
    """A page's parts: its language, title, headings, forms, scripts and sheets, and what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.language, self.title, self.headings = "", "", 0
        self.ids: list[str] = []
        self.forms: list[Form] = []
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self._refers: set[str] = set()
        self._in_title = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        given = {name: value or "" for name, value in attrs}
        self.inline += [f"<{tag} {name}>" for name in given if name == "style" or name.startswith("on")]
        self.ids += [given["id"]] if "id" in given else []
        self._refers |= {ref for name in REFERS for ref in given.get(name, "").split()}
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") not in DATA):
            self.inline.append(f"<{tag}>")
        if tag == "html":
            self.language = given.get("lang", "")
        elif tag == "title":
            self._in_title = not self.title  # pictures have titles, too
        elif tag == "h1":
            self.headings += 1
        elif tag == "script" and "src" in given:
            self.loaded.append(given["src"])
        elif tag == "link" and given.get("rel") == "stylesheet":
            self.loaded.append(given["href"])
        elif tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag in ("input", "select", "textarea", "button") and self.forms and given.get("name"):
            self.forms[-1].names.append(given["name"])

    def handle_endtag(self, tag: str) -> None:
        """The title ends."""
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        """Text of the title."""
        if self._in_title:
            self.title += data

    def wrong(self, language: str) -> list[str]:
        """What is wrong with the page in this language."""
        twice = sorted({found for found in self.ids if self.ids.count(found) > 1})
        checks = {
            f"in {self.language!r}, not {language!r}": self.language == language,
            f"{self.headings} headings of the first order": self.headings == 1,
            f"no title of its own: {self.title!r}": bool(self.title.partition(" – ")[0].strip()),
            f"inline: {self.inline}": not self.inline,
            f"ids that stand twice: {twice}": not twice,
            f"refers to what is not there: {self._refers - set(self.ids)}": self._refers <= set(self.ids),
        }
        return [said for said, is_right in checks.items() if not is_right]
