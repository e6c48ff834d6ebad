"""Statements and decision letters: what they say, who can read them, and that the same data is the same file."""

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from apps.kernel.documents.render import DocumentUnprintable, Language
from apps.refunds.documents.money import money_text
from apps.refunds.documents.render import decision_letter_pdf, statement_pdf

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES: list[Language] = ["ja", "en"]
MARKUP = '#panic("x") *bold* $1/2$ <label> @ref `raw` \\ // = head'
POINTS_PER_MM = 72 / 25.4


def both(ja: str, en: str) -> dict[str, str]:
    return {"ja": ja, "en": en}


def digest(of: str) -> str:
    return hashlib.sha256(of.encode()).hexdigest()


STATEMENT: dict[str, Any] = {
    "format": "kanpu refund statement v1",
    "resident_ref": "0b9c8f0e-5d5e-4a39-9f0e-6a7b1c2d3e4f",
    "year": 2017,
    "run": 1,
    "scheme": {
        "code": "jp-2015",
        "version": 1,
        "sha256": digest("scheme"),
        "name": both("日本型軽減税率制度", "Japanese-style reduced rate"),
        "reference": both("財務省（2015年9月）", "Ministry of Finance, September 2015"),
    },
    "currency": "JPY",
    "minor_unit_digits": 0,
    "entitled_minor": 4000,
    "earlier_minor": 0,
    "due_minor": 4000,
    "lines": [
        {
            "tier": "reduced",
            "name": both("飲食料品", "Food and drink"),
            "first_month": 1,
            "last_month": 12,
            "spend_minor": 275_000,
            "base_minor": None,
            "share": [1, 55],
            "words": both("275,000円の55分の1で5,000円", "one 55th of ¥275,000 is ¥5,000"),
        },
    ],
    "steps": [both("上限の4,000円になります。", "The limit of ¥4,000 applies.")],
    "cuts": [],
    "denominator": 110,
    "proof": {
        "salt": digest("salt"),
        "leaf_index": 12,
        "tree_size": 2469,
        "root": digest("root"),
        "path": [],
        "earlier": [],
    },
    "run_digest": digest("run"),
    "state": "approved",
    "approved_date": "2018-03-20",
    "claim_until": "2023-03-20",
}

DECISION: dict[str, Any] = {
    "number": "2017-1-000123",
    "kind": "refused",
    "resident_ref": STATEMENT["resident_ref"],
    "year": 2017,
    "run": 1,
    "amount_minor": 4000,
    "currency": "JPY",
    "minor_unit_digits": 0,
    "reasons": [both("住所がありませんでした。", "You had no address here.")],
    "legal_basis": both("国税通則法56条", "Act on General Rules for National Taxes, article 56"),
    "decided_date": "2018-03-20",
    "appeal_until": "2018-06-20",
    "appeal_within_months": 3,
    "appeal_to": both("還付センター審査課", "Refund centre, appeals"),
    "appeal_basis": both("国税通則法75条", "Act on General Rules for National Taxes, article 75"),
    "addressee": {"name": "𠮷田 髙﨑之助", "postal_code": "100-0001", "address": "東京都千代田区千代田1-1"},
}

MAKERS = [(statement_pdf, STATEMENT), (decision_letter_pdf, DECISION)]
every_document = pytest.mark.parametrize(("make", "data"), MAKERS, ids=["statement", "decision"])
every_language = pytest.mark.parametrize("language", LANGUAGES)


def text_of(pdf: bytes) -> str:
    """The text of all pages, without the breaks of lines and the spaces that extraction puts in."""
    return "".join("".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages)


def statement_text(language: Language = "en", **changed: Any) -> str:
    return text_of(statement_pdf({**STATEMENT, **changed}, language=language))


def decision_text(language: Language = "en", **changed: Any) -> str:
    return text_of(decision_letter_pdf({**DECISION, **changed}, language=language))


def said(text: str) -> str:
    return "".join(text.split())


def catalogue(pdf: bytes) -> Any:
    return PdfReader(BytesIO(pdf)).trailer["/Root"]


def structure(pdf: bytes) -> list[Any]:
    """Every element of the tags' tree, parents first."""
    found, waiting = [], [catalogue(pdf)["/StructTreeRoot"]]
    while waiting:
        element = waiting.pop()
        found.append(element)
        kids = element.get("/K", [])
        kids = (kid.get_object() for kid in (kids if isinstance(kids, list) else [kids]))
        waiting.extend(kid for kid in kids if hasattr(kid, "get") and ("/S" in kid))
    return found


@pytest.mark.parametrize(
    ("amount_minor", "currency", "digits", "ja", "en"),
    [
        (0, "JPY", 0, "0円", "¥0"),
        (1234, "JPY", 0, "1,234円", "¥1,234"),
        (-1234, "JPY", 0, "−1,234円", "−¥1,234"),
        (1234, "EUR", 2, "EUR\xa012.34", "EUR\xa012.34"),
        (-5, "EUR", 2, "−EUR\xa00.05", "−EUR\xa00.05"),
        (1_234_567, "KWD", 3, "KWD\xa01,234.567", "KWD\xa01,234.567"),
    ],
)
def test_money_is_written_as_readers_write_it(amount_minor: int, currency: str, digits: int, ja: str, en: str) -> None:
    for language, text in zip(LANGUAGES, (ja, en), strict=True):
        assert money_text(amount_minor, currency=currency, minor_unit_digits=digits, language=language) == text


@given(st.integers(-(10**18), 10**18), st.integers(0, 4), st.sampled_from(LANGUAGES))
def test_money_keeps_every_digit(amount_minor: int, digits: int, language: Language) -> None:
    text = money_text(amount_minor, currency="EUR", minor_unit_digits=digits, language=language)
    number = text.replace("EUR\xa0", "").replace("−", "-").replace(",", "")
    assert number.partition(".")[2].isdigit() == (digits > 0)
    assert int(number.replace(".", "")) == amount_minor


@every_language
@every_document
def test_a_document_is_tagged_pdf_ua_with_its_language_and_title(make: Any, data: Any, language: Language) -> None:
    pdf = make(data, language=language)
    root = catalogue(pdf)
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()
    assert root["/Lang"] == language
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    metadata = PdfReader(BytesIO(pdf)).metadata
    assert metadata is not None
    assert said(str(metadata.title)) in text_of(pdf)
    assert [element["/S"] for element in structure(pdf) if element.get("/S") == "/H1"] == ["/H1"]


@every_language
def test_the_statement_table_has_header_cells_and_its_qr_code_has_words(language: Language) -> None:
    elements = structure(statement_pdf(STATEMENT, language=language))
    headers = [element for element in elements if element.get("/S") == "/TH"]
    assert len(headers) == 4
    assert all(element["/A"][0]["/Scope"] == "/Column" for element in headers)
    (figure,) = [element for element in elements if element.get("/S") == "/Figure"]
    assert STATEMENT["proof"]["root"] in figure["/Alt"]


@every_document
def test_fonts_are_embedded_and_come_with_packages(make: Any, data: Any) -> None:
    for page in PdfReader(BytesIO(make(data, language="ja"))).pages:
        resources: Any = page["/Resources"]
        fonts = [font.get_object()["/DescendantFonts"][0].get_object() for font in resources["/Font"].values()]
        names = {font["/BaseFont"].partition("+")[2].removesuffix("-Identity-H") for font in fonts}
        assert {"NotoSansCJKjp-Regular", "NotoSansCJKjp-Bold"} <= names
        assert names <= {"NotoSansCJKjp-Regular", "NotoSansCJKjp-Bold", "DejaVuSansMono"}
        assert all({"/FontFile2", "/FontFile3"} & set(font["/FontDescriptor"]) for font in fonts)


def test_a_statement_says_how_the_refund_came_about_in_the_readers_language() -> None:
    japanese, english = statement_text("ja"), statement_text("en")
    for words in ("2017年分還付明細書", "第1回", "4,000円", "飲食料品", "1月〜12月", "275,000円の55分の1で5,000円"):
        assert words in japanese
    for words in ("日本型軽減税率制度", "財務省（2015年9月）", "上限の4,000円になります。", "2023年3月20日までに"):
        assert words in japanese
    for words in ("Refund statement 2017", "¥4,000", "Food and drink", "Jan – Dec", "one 55th of ¥275,000 is ¥5,000"):
        assert said(words) in english
    for words in ("Ministry of Finance, September 2015", "The limit of ¥4,000 applies.", "by 20 March 2023"):
        assert said(words) in english


@every_language
def test_a_statement_says_how_to_check_it(language: Language) -> None:
    text = statement_text(language)
    for words in (
        "pythonkanpu_verify.pyzkanpu-statement-2017-1.json",
        digest("root"),
        digest("run"),
        digest("scheme"),
        "2469",
    ):
        assert words in text


def test_a_long_digest_breaks_at_the_margin_and_is_copied_as_one_word() -> None:
    long = digest("a") + digest("b")
    page = PdfReader(BytesIO(statement_pdf({**STATEMENT, "run_digest": long}, language="en"))).pages[0]
    lines = page.extract_text().splitlines()
    assert not any(long in line for line in lines)
    assert long in "".join(line.strip().removeprefix("Digest of the run").strip() for line in lines)


def test_a_statement_is_provisional_until_it_is_approved() -> None:
    assert "provisional" not in statement_text()
    assert "provisional" in statement_text(state="assessed", approved_date=None)
    assert "暫定" in statement_text("ja", state="assessed", approved_date=None)


def test_a_supplementary_run_shows_the_difference_and_what_came_before() -> None:
    text = statement_text(run=2, entitled_minor=4000, earlier_minor=3210, due_minor=790)
    assert all(words in text for words in ("supplementary", "¥790", "¥4,000", "¥3,210"))
    assert "Refundedinearlierruns" not in statement_text()


def test_what_was_refunded_too_much_is_taken_off_later_and_is_not_to_be_claimed() -> None:
    text = statement_text(run=2, entitled_minor=3000, earlier_minor=4000, due_minor=-1000)
    assert "−¥1,000" in text
    assert said("taken off later refunds") in text
    assert "Claimit" not in text


@pytest.mark.parametrize("kind", ["refused", "reduced", "annulled"])
def test_a_decision_says_what_why_on_what_basis_and_where_to_appeal(kind: str) -> None:
    japanese, english = decision_text("ja", kind=kind), decision_text("en", kind=kind)
    for words in (
        "2017-1-000123",
        "4,000円",
        "住所がありませんでした。",
        "国税通則法56条",
        "国税通則法75条",
        "還付センター審査課",
    ):
        assert words in japanese
    assert "2018年6月20日までに" in japanese
    for words in (kind, "¥4,000", "You had no address here.", "until 20 June 2018", "Refund centre, appeals"):
        assert said(words) in english


def test_a_decision_without_a_deadline_still_says_how_long_one_may_appeal() -> None:
    assert said("You may appeal against this decision within 3 months of being told of it to:") in decision_text(
        appeal_until=None
    )
    assert said("この通知を受けた日の翌日から3か月以内に") in decision_text("ja", appeal_until=None)


def test_a_decision_without_an_addressee_shows_the_reference() -> None:
    assert decision_text(addressee=None).startswith("Reference" + DECISION["resident_ref"])


@pytest.mark.parametrize(
    "address", ["千代田区千代田1-1", "千代田区千代田一丁目1番1号 霞が関パークタワーレジデンス東棟 " * 2]
)
def test_the_window_shows_the_addressee_and_nothing_else(address: str) -> None:
    addressee = {"name": "𠮷田 髙﨑之助", "postal_code": "100-0001", "address": address}
    inside, near = "", ""
    page = PdfReader(BytesIO(decision_letter_pdf({**DECISION, "addressee": addressee}, language="ja"))).pages[0]

    def place(text: str, cm: list[float], *_rest: Any) -> None:
        nonlocal inside, near
        x, y = cm[4] / POINTS_PER_MM, 297 - cm[5] / POINTS_PER_MM
        if 22 <= x <= 87 and 14 <= y <= 38:  # seen wherever the folded sheet rests in its envelope
            inside += text
        elif x <= 112 and y <= 59:  # may be seen
            near += text

    page.extract_text(visitor_text=place)
    assert said("〒100-0001" + address + "𠮷田 髙﨑之助様") == said(inside)
    assert near.strip() == ""


def test_data_is_never_markup() -> None:
    letter = decision_text(
        addressee={"name": MARKUP, "postal_code": "1", "address": MARKUP}, reasons=[both("", MARKUP)], number=MARKUP
    )
    assert letter.count(said(MARKUP)) >= 4
    line = {**STATEMENT["lines"][0], "name": both("", MARKUP), "words": both("", MARKUP)}
    assert said(MARKUP) in statement_text(lines=[line], steps=[both("", MARKUP)])


def test_a_character_that_no_font_has_is_an_error_that_names_it() -> None:
    with pytest.raises(DocumentUnprintable, match="\N{GRINNING FACE}"):
        decision_text(reasons=[both("", "\N{GRINNING FACE}")])


@every_document
def test_the_same_data_is_the_same_file_in_another_process(make: Any, data: Any) -> None:
    script = (
        f"import json, sys\nfrom apps.refunds.documents.render import {make.__name__} as make\n"
        "sys.stdout.buffer.write(make(json.load(sys.stdin), language='ja'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(data).encode(), capture_output=True, cwd=ROOT, check=True
    )
    assert done.stdout == make(data, language="ja")


def test_a_document_is_dated_by_its_data_or_not_at_all() -> None:
    def dated(pdf: bytes) -> str | None:
        metadata = PdfReader(BytesIO(pdf)).metadata
        return metadata.creation_date_raw if metadata else None

    assert str(dated(statement_pdf(STATEMENT, language="en"))).startswith("D:20180320")
    assert str(dated(decision_letter_pdf(DECISION, language="en"))).startswith("D:20180320")
    assert dated(statement_pdf({**STATEMENT, "approved_date": None}, language="en")) is None


def test_threads_make_documents_side_by_side() -> None:
    def make(number: int) -> bytes:
        return decision_letter_pdf({**DECISION, "number": str(number)}, language="ja")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(make, range(20))) == [make(number) for number in range(20)]


def test_a_long_statement_goes_on_on_the_next_page() -> None:
    pdf = statement_pdf({**STATEMENT, "lines": STATEMENT["lines"] * 40}, language="ja")
    first, second = PdfReader(BytesIO(pdf)).pages
    assert all("税率区分" in page.extract_text() for page in (first, second))
