import re
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from apps.refunds.assessment import Person, assess
from apps.refunds.rules import rules_of
from apps.schemes.document import digest
from apps.schemes.reading import SchemeInvalid, read_scheme, read_scheme_text

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "apps/schemes/files/jp-2015.yaml").read_text()


LIMIT = """    - per: year
      for: person
      cap: {amount: 4000}
"""
SHARE = "share_of_tax and share_of_amount need a share"


def refusal(text: str, line_with: str) -> str:
    """What is said of a broken file, which must name it and the line that has `line_with`."""
    with pytest.raises(SchemeInvalid) as refused:
        read_scheme_text(text, name="mine.yaml")
    named = re.fullmatch(r"mine\.yaml, line (\d+): (.+)", str(refused.value))
    assert named, refused.value
    assert line_with in text.splitlines()[int(named[1]) - 1], refused.value
    return named[2]


def changed(old: str, new: str, text: str = TEXT) -> str:
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "line_with", "said"),
    [
        # no YAML, or not what a scheme file has
        ("currency: JPY", "currency: [JPY", "minor_unit", "no YAML: expected ',' or ']'"),
        ("currency: JPY", "currency: JPY\ncurrency: EUR", "EUR", "currency stands twice"),
        ("currency: JPY", "currency: \x07", "\x07", "a character that no text has"),
        ("currency: JPY", "price: 1\ncurrency: JPY", "price", "unknown field `price`. Known here: code, name"),
        ("en: Food and drink}", "en: Food, drink}", "Food, drink", "unknown field `drink` - at `$.tiers[0].name`"),
        ("en: Food and drink}", "en: Food, drink}", "Food, drink", "Put a text with a comma in quotes."),
        ("currency: JPY\n", "", "# Japan", "missing required field `currency`"),
        ("    reference: 消費税法 29条\n", "", "code: standard", "required field `reference` - at `$.tiers[1]`"),
        ("minor_unit_digits: 0", "minor_unit_digits: none", "none", "Expected `int`, got `str`"),
        ("cap: {amount: 4000}", "cap: {amount: -1}", "-1", "Expected `int` >= 0 - at `$.refund.limits[0].cap.amount`"),
        ("basis: rate_difference", "basis: magic", "magic", "One of: rate_difference, share_of_amount, share_of_tax."),
        ("per: year", "per: week", "week", "One of: half_year, month, year."),
        ("for: person", "for: family", "family", "One of: household, members, person."),
        ("code: reduced", "code: Food", "Food", "That is: small letters, digits and _"),
        ("code: reduced", 'code: "reduced\\n"', "reduced", "That is: small letters"),
        ("code: jp-2015", "code: JP", "JP", "That is: small letters, digits and -"),
        ("currency: JPY", "currency: yen", "yen", "the three letters of ISO 4217"),
        ('"03-15"', "March", "March", "month and day in quotes"),
        ("cap: {amount: 4000}", "cap: {attribute: limit}", "limit}", "attr_ and then small letters"),
        ("from: 2015-01-01", "from: 2015-13-01", "2015-13-01", "date - at `$.collected[0].from`"),
        ('rate: "0.08"', "rate: low", "low", "decimal string - at `$.tiers[0].rates[0].rate`"),
        ('    rates:\n      - {from: 2015-01-01, rate: "0.08"}', "    rates: []", "rates: []", "of length >= 1"),
        # what stands there, but breaks a rule
        ("Asia/Tokyo", "Asia/Edo", "Asia/Edo", "no time zone of the IANA database"),
        ("Asia/Tokyo", "posix/Asia/Tokyo", "posix", "no time zone of the IANA database"),
        ('"03-15"', '"02-30"', "02-30", "no day of every year"),
        ('"03-15"', '"02-29"', "02-29", "no day of every year"),
        ("code: standard", "code: reduced", "reduced", "the tier reduced stands twice"),
        ('rate: "0.08"', 'rate: "1"', '"1"', "no rate from 0 to below 1"),
        ('rate: "0.08"', 'rate: "-0.01"', "-0.01", "no rate from 0 to below 1"),
        ('rate: "0.08"', 'rate: "nan"', "nan", "no rate from 0 to below 1"),
        ('rate: "0.08"', 'rate: "0.0000001"', "0.0000001", "6 decimals at most"),
        ('{from: 2015-01-01, rate: "0.08"}', '{from: 2015-01-02, rate: "0.08"}', "01-02", "on the first of a month"),
        ('{from: 2015-01-01, rate: "0.08"}', '{from: 2014-12-01, rate: "0.08"}', "2014", "no rate is collected before"),
        (
            '      - {from: 2015-01-01, rate: "0.08"}',
            '      - {from: 2017-04-01, rate: "0.08"}\n      - {from: 2017-04-01, rate: "0.05"}',
            "0.05",
            "the dates must ascend",
        ),
        (
            '  - {from: 2015-01-01, rate: "0.10"}',
            '  - {from: 2015-01-01, rate: "0.10"}\n  - {from: 2014-01-01, rate: "0.08"}',
            "2014-01-01",
            "the dates must ascend",
        ),
        ('rate: "0.08"', 'rate: "0.12"', "rates:", "above the rate collected, 0.10: say in refund.surcharge"),
        ("rounding: kokuzei-tsusoku-120", "rounding: bankers", "bankers", "Known: floor, half_up, kokuzei-tsusoku"),
        ("  limits:", "  purchase: {rounding: up}\n  limits:", "up", "no rounding rule"),
        ("basis: rate_difference", "basis: share_of_tax", "share_of_tax", SHARE),
        ("basis: rate_difference", 'basis: rate_difference\n  share: "0.5"', "basis", SHARE),
        ("basis: rate_difference", 'basis: share_of_amount\n  share: "1.1"', "1.1", "no share from 0 to 1"),
        ("code: standard", "code: standard\n    refund: {basis: share_of_tax}", "share_of_tax", SHARE),
        (
            "  limits:",
            "  eligibility: [{attribute: attr_a, reference: {ja: a, en: a}, at_most: 1, equals: b}]\n  limits:",
            "attr_a",
            "one of at_most, at_least and equals",
        ),
        ("      cap: {amount: 4000}\n", "", "per: year", "a limit has one of cap and at_least"),
        (LIMIT, LIMIT + "      at_least: {amount: 1}\n", "per: year", "a limit has one of cap and at_least"),
        ("cap: {amount: 4000}", "cap: {}", "cap: {}", "a cap has one of amount and attribute"),
        ("cap: {amount: 4000}", "at_least: {}", "at_least: {}", "how many purchases or what amount"),
        (LIMIT, LIMIT.replace("person", "members").replace("cap", "at_least"), "members", "a person or a household"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_its_line_and_the_rule(old: str, new: str, line_with: str, said: str) -> None:
    assert said in refusal(changed(old, new), line_with)


def test_a_surcharge_cannot_be_offset_purchase_by_purchase() -> None:
    dear = changed('rate: "0.08"', 'rate: "0.12"')
    offset = changed("  limits:", "  surcharge: offset\n  purchase: {rounding: floor}\n  limits:", dear)
    assert "cannot be offset purchase by purchase" in refusal(offset, "surcharge: offset")


@pytest.mark.parametrize("text", ["", "- 1", "just words"])
def test_a_file_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(SchemeInvalid, match=r"mine\.yaml, line 1: Expected `object`"):
        read_scheme_text(text, name="mine.yaml")


def test_a_document_without_a_file_is_refused_with_its_place() -> None:
    with pytest.raises(SchemeInvalid, match=r"\$\.time_zone: 'Asia/Edo' is no time zone"):
        read_scheme(yaml.safe_load(TEXT) | {"time_zone": "Asia/Edo"})


@pytest.mark.parametrize("page", ["schemes.md", "schemes.ja.md"])
def test_the_example_of_the_documentation_can_be_loaded_and_refunds_what_it_says(page: str) -> None:
    example = re.findall(r"```yaml\n(.+?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)[0]
    rules = rules_of(read_scheme_text(example, name=page), 2027)
    spend = {"food": [110_000, *[0] * 11], "books": [*[0] * 4, 11_000, *[0] * 7]}
    assert assess(Person(UUID(int=1), spend), rules).refund_minor == 2500


@pytest.mark.parametrize("page", ["schemes.md", "schemes.ja.md"])
def test_the_documentation_lists_every_shipped_scheme(page: str) -> None:
    listed = set(re.findall(r"^\| `([a-z0-9-]+)` \|", (ROOT / "docs" / page).read_text(), re.MULTILINE))
    assert listed == {path.stem for path in (ROOT / "apps/schemes/files").glob("*.yaml")}


def test_comments_and_layout_make_no_new_version_and_a_rate_does() -> None:
    def digest_of(text: str) -> str:
        return digest(read_scheme_text(text, name="mine.yaml"))

    assert digest_of(TEXT) == digest_of("# another comment\n" + TEXT)
    assert digest_of(TEXT) == digest_of(changed('{from: 2015-01-01, rate: "0.08"}', '{rate: 0.08, from: "2015-01-01"}'))
    assert digest_of(TEXT) != digest_of(changed('rate: "0.08"', 'rate: "0.05"'))
