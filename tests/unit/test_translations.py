"""All that is said is said in both languages, and money and times are written in the reader's way."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polib
from django.conf import settings
from django.utils import translation
from django.utils.dates import MONTHS, MONTHS_3, MONTHS_AP, WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation.template import templatize

ROOT: Final = Path(settings.BASE_DIR)
PO: Final = ROOT / "locale" / "ja" / "LC_MESSAGES" / "django.po"
SAYS: Final = re.compile(r"_|n?p?gettext(_lazy|_noop)?")
LITERAL: Final = r"""u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
IN_TEMPLATE: Final = re.compile(rf"\bn?gettext\({LITERAL}(?:,\s*{LITERAL})?|\b_\({LITERAL}\)")
FORMATS: Final = {"DATETIME_FORMAT", "DATE_FORMAT", "YEAR_MONTH_FORMAT", "MONTH_DAY_FORMAT", "TIME_FORMAT", "F", "M"}
FOR_MACHINES: Final = {"c", "Y-m-d"}  # inside attributes only


def templates() -> Iterator[Path]:
    """All templates of the project."""
    for folder in (ROOT / "apps", ROOT / "config"):
        yield from (path for suffix in ("html", "txt", "svg") for path in folder.glob(f"**/templates/**/*.{suffix}"))


def said() -> dict[str, str]:
    """Every message of templates and Python, with a place where it stands."""
    found: dict[str, str] = {}
    for path in templates():
        for literals in IN_TEMPLATE.findall(templatize(path.read_text(), origin=str(path))):
            found |= {ast.literal_eval(text): path.name for text in literals if text}
    for path in [*ROOT.glob("apps/**/*.py"), *ROOT.glob("config/**/*.py")]:
        found |= dict.fromkeys(said_in_python(ast.parse(path.read_text())), path.name)
    return found


def said_in_python(tree: ast.Module) -> Iterator[str]:
    """What stands in gettext's functions, by whatever name."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call):
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            if SAYS.fullmatch(name):
                texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
                yield from texts[1:] if name.startswith("p") else texts


def test_everything_said_has_a_japanese_translation_and_nothing_else_has() -> None:
    catalogue = polib.pofile(str(PO))
    known = {entry.msgid for entry in catalogue} | {entry.msgid_plural for entry in catalogue if entry.msgid_plural}
    found = said()
    assert len(found) > 1_000
    assert {message: place for message, place in found.items() if message not in known} == {}
    assert known - set(found) == set(), "nobody says it any more"


def test_no_translation_is_missing_fuzzy_or_obsolete() -> None:
    catalogue = polib.pofile(str(PO))
    assert [entry.msgid for entry in catalogue if not entry.translated() or entry.fuzzy] == []
    assert [entry.msgid for entry in catalogue.obsolete_entries()] == []
    assert len({(entry.msgctxt, entry.msgid) for entry in catalogue}) == len(catalogue), "a message stands twice"


def test_translations_keep_what_is_filled_in() -> None:
    for entry in polib.pofile(str(PO)):
        message = entry.msgid_plural or entry.msgid
        for translated in [entry.msgstr, *entry.msgstr_plural.values()]:
            if translated:
                assert sorted(re.findall(r"\{.*?\}|%\(\w+\)s", translated)) == sorted(
                    re.findall(r"\{.*?\}|%\(\w+\)s", message)
                ), message


def test_the_compiled_translations_are_those_of_the_source() -> None:
    source, compiled = polib.pofile(str(PO)), polib.mofile(str(PO.with_suffix(".mo")))
    assert {what(entry) for entry in source} == {what(entry) for entry in compiled}


def test_no_word_of_ours_takes_the_place_of_a_month_or_a_day() -> None:
    """Django's dates are translated in one catalogue with what we say: "May" is a month, whatever else it may be."""
    named = (MONTHS, MONTHS_3, MONTHS_AP, WEEKDAYS, WEEKDAYS_ABBR)
    with translation.override(None):
        days = {str(words) for names in named for words in names.values()}
    assert days >= {"May", "Monday", "Mon"}
    assert {entry.msgid for entry in polib.pofile(str(PO)) if not entry.msgctxt} & days == set()


def what(entry: polib.POEntry | polib.MOEntry) -> tuple[str, ...]:
    """A message with its translations."""
    return entry.msgid, entry.msgid_plural, entry.msgstr, *map(str, entry.msgstr_plural.values())


def outside_attributes(text: str) -> str:
    """A template's text without the attributes of its tags, which browsers and programs read."""
    return re.sub(r"""\s(?:href|action|value|datetime|aria-value\w+)=("[^"]*"|'[^']*')""", "", text)


def test_no_template_writes_an_amount_in_its_own_way() -> None:
    """Whatever ends in `_minor` or `.amount` is written by the filter `money`, which knows the scheme's currency."""
    bare = re.compile(r"{{\s*[\w.]*(?:_minor|\.amount)\s*(?:}}|\|(?!money)[^}]*}})")
    in_with = re.compile(r"blocktranslate[^%]*=[\w.]*_minor\b(?!\|money)")
    wrong = {
        path.name: found
        for path in templates()
        if (found := bare.findall(text := outside_attributes(path.read_text())) + in_with.findall(text))
    }
    assert wrong == {}


def test_no_template_writes_a_time_in_its_own_way() -> None:
    """Dates go through `date` with a format of the reader's language."""
    bare = re.compile(r"{{\s*[\w.]*(?:_at|_date|_until|\.lower|\.upper)\s*}}")
    wrong = {}
    for path in templates():
        text = outside_attributes(path.read_text())
        formats = set(re.findall(r"""\|(?:date|time):["']([^"']*)["']""", text))
        if found := bare.findall(text) + sorted(formats - FORMATS):
            wrong[path.name] = found
    assert wrong == {}
