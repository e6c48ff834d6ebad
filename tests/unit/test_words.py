"""What pages say: each message in both languages, amounts as readers write them, the chart's geometry."""

import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polib
from django.conf import settings
from django.utils import translation

from apps.kernel.rounding import ROUNDING_RULES
from apps.merchants.catalogue import CATALOGUE
from apps.portal.charts import month_chart
from apps.refunds.templatetags.kanpu import money, percent
from apps.refunds.words import ROUNDINGS
from apps.schemes.operations import SHIPPED, read_scheme_file

ROOT = Path(settings.BASE_DIR)
PO = ROOT / "locale" / "ja" / "LC_MESSAGES" / "django.po"


def test_everything_said_has_a_japanese_translation() -> None:
    entries = polib.pofile(PO)
    known = {entry.msgid for entry in entries} | {entry.msgid_plural for entry in entries}
    assert [entry.msgid for entry in entries if not entry.translated() or entry.fuzzy] == []
    assert said_in_templates() - known == set()
    assert said_in_pages() - known == set()
    with translation.override("en"):
        words = {str(error.message) for error in CATALOGUE.values()}
    assert words - known == set()


def said_in_templates() -> set[str]:
    """The messages of all templates, as they stand in the catalogue."""
    said = set()
    for path in [*ROOT.glob("apps/**/*.html"), *ROOT.glob("config/templates/**/*.html")]:
        text = path.read_text()
        for _, message in re.findall(r"""{% translate (["'])(.+?)\1""", text):
            said.add(message.replace("%", "%%"))
        for block in re.findall(r"{% blocktranslate.*?%}(.*?){% endblocktranslate %}", text, re.DOTALL):
            said.update(re.sub(r"{{ (\w+) }}", r"%(\1)s", part) for part in block.split("{% plural %}"))
    return said


def said_in_pages() -> set[str]:
    """The messages of the pages' Python: what stands in `_("…")`."""
    said = set()
    for path in [*ROOT.glob("apps/console/**/*.py"), *ROOT.glob("apps/portal/**/*.py")]:
        text = re.sub(r'"\s*\n\s*"', "", path.read_text())  # a text over several lines is one
        said.update(re.findall(r'\b_\(\s*"(.+?)"\s*\)', text, re.DOTALL))
    return said


def test_translations_keep_what_is_filled_in() -> None:
    for entry in polib.pofile(PO):
        said = entry.msgid_plural or entry.msgid
        for translated in [entry.msgstr, *entry.msgstr_plural.values()]:
            if translated:
                assert sorted(re.findall(r"\{.*?\}|%\(\w+\)s", translated)) == sorted(
                    re.findall(r"\{.*?\}|%\(\w+\)s", said)
                ), said


def test_the_compiled_translations_are_those_of_the_source() -> None:
    compiled = {entry.msgid: entry for entry in polib.mofile(str(PO.with_suffix(".mo")))}
    source = polib.pofile(PO)
    assert {entry.msgid for entry in source} == set(compiled)
    for entry in source:
        assert (entry.msgstr, entry.msgstr_plural) == (
            compiled[entry.msgid].msgstr,
            compiled[entry.msgid].msgstr_plural,
        )


def test_amounts_are_written_in_the_readers_way() -> None:
    yen, real = (read_scheme_file(SHIPPED / f"{code}.yaml") for code in ("jp-2015", "br-2027"))
    with translation.override("en"):
        assert [money(1234567, yen), money(-5, yen)] == ["¥1,234,567", "−¥5"]
        assert money(Fraction(10, 3), yen) == "¥3.3333…"
        assert [money(Fraction(5, 2), yen), money(Fraction(4000), yen)] == ["¥2.5", "¥4,000"]
        assert money(Fraction(1, 100_000), yen) == "¥0.0000…"
        assert [money(123456, real), money(Fraction(5, 2), real)] == ["BRL\xa01,234.56", "BRL\xa00.025"]
    with translation.override("ja"):
        assert [money(1234567, yen), money(Fraction(10, 3), yen)] == ["1,234,567円", "3.3333…円"]
    assert [percent(Decimal(rate)) for rate in ("0.10", "0.078", "0")] == ["10%", "7.8%", "0%"]
    assert set(ROUNDINGS) == set(ROUNDING_RULES)


def test_the_longest_bar_fills_the_chart_and_parts_join() -> None:
    chart = month_chart([(100, 50), (0, 0), (33, 33)])
    assert [(part.x, part.width) for part in chart.bars[0].segments] == [(44, 154), (198, 78)]
    assert chart.bars[1].segments == ()
    first, second = chart.bars[2].segments
    assert first.x + first.width == second.x
    assert [bar.total_minor for bar in chart.bars] == [150, 0, 66]
