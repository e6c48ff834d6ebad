"""Transfer files are byte for byte what the layout says, and are read back, whatever happened to them on the way."""

import io
import resource
import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.payouts.zengin.files import BankOptions, FileRefused, Sender, Transfer, write_file
from apps.payouts.zengin.layout import (
    ALLOWED,
    DATA,
    END,
    HEADER,
    TRAILER,
    FieldRefused,
    Layout,
    RecordUnreadable,
    offsets,
    parse,
    render,
)
from apps.payouts.zengin.reading import Problem, Record, read_file
from apps.residents.accounts.directory import banks, branches
from apps.residents.accounts.holder import bank_kana

SENDER = Sender("1234567890", "ｶｸｼ ｷﾖﾀｸ", "0001", "ﾐｽﾞﾎ", "004", "ﾏﾙﾉｳﾁﾁﾕｳｵｳ", "1", "7654321")
DAY = date(2026, 11, 30)
ONE = Transfer("9900", "ﾕｳﾁﾖ", "058", "ｾﾞﾛｺﾞﾊﾁ", "1", "1234567", "ｼﾞﾖﾝ.ｽﾐｽ", 4_000, "2025000000000042")
TWO = Transfer("0005", "ﾐﾂﾋﾞｼUFJ", "001", "ﾎﾝﾃﾝ", "2", "0000007", "YAMADA TARO", 1, "2025000000000043")

# The layout as the association of banks writes it (全銀協 規定フォーマット, 総合振込): begin, from 0, and length.
WRITTEN_OUT: dict[str, tuple[Layout, dict[str, tuple[int, int]]]] = {
    "header": (
        HEADER,
        {
            "record": (0, 1), "type": (1, 2), "code": (3, 1), "sender_code": (4, 10), "sender_name": (14, 40),
            "date": (54, 4), "bank": (58, 4), "bank_name": (62, 15), "branch": (77, 3), "branch_name": (80, 15),
            "account_type": (95, 1), "account_number": (96, 7), "unused": (103, 17),
        },
    ),
    "data": (
        DATA,
        {
            "record": (0, 1), "bank": (1, 4), "bank_name": (5, 15), "branch": (20, 3), "branch_name": (23, 15),
            "clearing_house": (38, 4), "account_type": (42, 1), "account_number": (43, 7), "recipient": (50, 30),
            "amount": (80, 10), "new_code": (90, 1), "customer_code_1": (91, 10), "customer_code_2": (101, 10),
            "transfer_type": (111, 1), "identification": (112, 1), "result": (113, 1), "unused": (114, 6),
        },
    ),
    "trailer": (TRAILER, {"record": (0, 1), "count": (1, 6), "sum": (7, 12), "unused": (19, 101)}),
    "end": (END, {"record": (0, 1), "unused": (1, 119)}),
}  # fmt: skip


def written(*transfers: Transfer, options: BankOptions = BankOptions()) -> bytes:  # noqa: B008 - it is frozen
    out = io.BytesIO()
    write_file(out, SENDER, DAY, transfers, options)
    return out.getvalue()


def found_in(content: bytes) -> tuple[list[Record], list[Problem]]:
    found = list(read_file(io.BytesIO(content)))
    return [r for r in found if isinstance(r, Record)], [p for p in found if isinstance(p, Problem)]


# --- what is written ---


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_each_field_has_its_place_and_its_length_and_120_bytes_are_full(name: str) -> None:
    layout, places = WRITTEN_OUT[name]
    assert offsets(layout) == places
    assert sum(length for _, length in places.values()) == 120
    at = 0
    for begins, length in places.values():
        assert begins == at
        at += length


def test_a_file_is_byte_for_byte_what_it_must_be() -> None:
    header = "1210" + "1234567890" + "ｶｸｼ ｷﾖﾀｸ".ljust(40) + "1130" + "0001" + "ﾐｽﾞﾎ".ljust(15) + "004"
    header += "ﾏﾙﾉｳﾁﾁﾕｳｵｳ".ljust(15) + "1" + "7654321" + " " * 17
    one = "2" + "9900" + "ﾕｳﾁﾖ".ljust(15) + "058" + "ｾﾞﾛｺﾞﾊﾁ".ljust(15) + "0000" + "1" + "1234567"
    one += "ｼﾞﾖﾝ.ｽﾐｽ".ljust(30) + "0000004000" + "0" + "2025000000" + "000042    " + "7" + " " * 8
    two = "2" + "0005" + "ﾐﾂﾋﾞｼUFJ".ljust(15) + "001" + "ﾎﾝﾃﾝ".ljust(15) + "0000" + "2" + "0000007"
    two += "YAMADA TARO".ljust(30) + "0000000001" + "0" + "2025000000" + "000043    " + "7" + " " * 8
    trailer = "8" + "000002" + "000000004001" + " " * 101
    records = [header, one, two, trailer, "9" + " " * 119]
    assert written(ONE, TWO) == b"".join(record.encode("cp932") + b"\r\n" for record in records)


@pytest.mark.parametrize(("line_end", "end"), [("crlf", b"\r\n"), ("lf", b"\n"), ("none", b"")])
@pytest.mark.parametrize("has_end_mark", [True, False])
def test_lines_end_as_the_bank_wants_it_and_are_read_all_the_same(
    line_end: str, end: bytes, has_end_mark: bool
) -> None:
    content = written(ONE, TWO, options=BankOptions(line_end, "", has_end_mark))
    assert len(content) == 5 * (120 + len(end)) + has_end_mark
    assert content.count(end) == 5 or not end
    records, problems = found_in(content)
    assert problems == []
    assert [record.kind for record in records] == ["1", "2", "2"]
    assert [record.reference for record in records[1:]] == [ONE.reference, TWO.reference]
    assert records[1].values["clearing_house"] == ""


def test_the_manifest_says_count_sum_and_hash() -> None:
    manifest = write_file(io.BytesIO(), SENDER, DAY, [ONE, TWO], BankOptions())
    assert manifest[:2] == (2, 4001)
    assert len(manifest.sha256) == 64
    other = write_file(io.BytesIO(), SENDER, DAY, [ONE, TWO._replace(amount_yen=2)], BankOptions())
    assert other.sha256 != manifest.sha256


@pytest.mark.parametrize(
    "wrong",
    [
        {"recipient": "ｱ" * 31}, {"recipient": "山田"}, {"recipient": "ヤマダ"}, {"recipient": "yamada"},
        {"recipient": "ﾔﾏﾀﾞ¥"}, {"recipient": "ｬﾏﾀﾞ"}, {"account_number": "12345678"}, {"account_number": "12-4567"},
        {"bank": "０００１"}, {"bank_name": "ｱ" * 16}, {"reference": "1" * 21},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_never_cut(wrong: dict[str, str]) -> None:
    with pytest.raises(FieldRefused):
        written(ONE._replace(**wrong))  # type: ignore[arg-type]


def test_a_number_that_is_missing_is_refused() -> None:
    with pytest.raises(FieldRefused, match="is no number"):
        written(ONE._replace(branch=""))


@pytest.mark.parametrize("amount", [0, -1, 10_000_000_000])
def test_amounts_that_no_transfer_has_are_refused(amount: int) -> None:
    with pytest.raises(FileRefused):
        written(ONE._replace(amount_yen=amount))


def test_a_file_without_transfers_is_refused() -> None:
    with pytest.raises(FileRefused):
        written()


def test_every_bank_and_branch_of_the_list_fits_its_field() -> None:
    for bank in banks():
        for branch in branches(bank.code):
            assert len(bank_kana(bank.kana)) <= 15
            assert len(bank_kana(branch.kana)) <= 15
            assert ALLOWED.fullmatch(bank_kana(bank.kana) + bank_kana(branch.kana))


# --- what is read ---

kana = st.text(alphabet="0123456789ABCXYZｱｲｳｶｷｸﾔﾕﾖﾜﾝﾞﾟ().-", max_size=15).map(str.strip)
transfers = st.builds(
    Transfer,
    bank=st.from_regex(r"[0-9]{4}", fullmatch=True), bank_name=kana, branch=st.from_regex(r"[0-9]{3}", fullmatch=True),
    branch_name=kana, account_type=st.sampled_from("1249"), account_number=st.from_regex(r"[0-9]{7}", fullmatch=True),
    recipient=kana, amount_yen=st.integers(1, 9_999_999_999),
    reference=st.from_regex(r"[0-9A-Z]{10,20}", fullmatch=True),
)  # fmt: skip
bank_options = st.builds(
    BankOptions, st.sampled_from(["crlf", "lf", "none"]), st.sampled_from(["", "0000"]), st.booleans()
)


@given(st.lists(transfers, min_size=1, max_size=8), bank_options)
def test_what_is_written_is_read_back(given_ones: list[Transfer], options: BankOptions) -> None:
    records, problems = found_in(written(*given_ones, options=options))
    assert problems == []
    read = [
        ONE._replace(
            **{name: r.values[name] for name in Transfer._fields[:-2]},
            amount_yen=int(r.values["amount"]),
            reference=r.reference,
        )
        for r in records[1:]
    ]
    assert read == given_ones


@given(st.lists(transfers, min_size=1, max_size=5), bank_options, st.data())
def test_a_file_that_was_cut_anywhere_gives_what_is_whole_and_says_that_it_was_cut(
    given_ones: list[Transfer], options: BankOptions, data: st.DataObject
) -> None:
    content = written(*given_ones, options=options)
    end = {"crlf": 2, "lf": 1, "none": 0}[options.line_end]
    cut = data.draw(st.integers(0, len(content) - 120 - end - options.has_end_mark - 1))
    records, problems = found_in(content[:cut])
    assert "cut" in {problem.code for problem in problems}
    whole, _ = found_in(content)
    assert records == whole[: len(records)]
    assert len(records) >= min(cut // (120 + end), len(whole))


@given(st.binary(max_size=600))
def test_bytes_of_whatever_kind_are_no_accident(content: bytes) -> None:
    records, problems = found_in(content)
    assert problems
    assert len(records) <= 5


@given(
    st.lists(transfers, min_size=3, max_size=3), st.sampled_from(["crlf", "lf"]), st.binary(min_size=1, max_size=300)
)
def test_a_line_that_is_bent_costs_only_itself(given_ones: list[Transfer], line_end: str, bent: bytes) -> None:
    lines = written(*given_ones, options=BankOptions(line_end)).split(b"\n")
    lines[2] = bent.replace(b"\n", b"x").replace(b"\r", b"x") + b"x\r"
    records, problems = found_in(b"\n".join(lines))
    assert [r.reference for r in records[1:]] == [given_ones[0].reference, given_ones[2].reference]
    assert [(p.line, p.code) for p in problems] == [(3, "record_unreadable"), (5, "does_not_add_up")]


def test_records_out_of_their_place_are_told() -> None:
    header, one, trailer, end = written(ONE).splitlines()
    _, problems = found_in(b"\n".join([one, header, header, one, trailer, one, end, one]))
    assert [(p.line, p.code) for p in problems] == [
        (1, "out_of_place"), (3, "out_of_place"), (6, "out_of_place"), (8, "out_of_place"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bent", "why"),
    [
        (b"2" * 119, "119 bytes"), (b"3" + b"0" * 119, "begins with"), ("山".encode("cp932") * 60, "characters"),
        (b"2" + b" " * 119, "no number"), (b"\xff" * 120, "characters"), (b"8" + b"0" * 119, "not ''"),
    ],
)  # fmt: skip
def test_why_a_record_is_unreadable_is_said(bent: bytes, why: str) -> None:
    with pytest.raises(RecordUnreadable, match=why):
        parse(bent)


def test_a_record_of_a_wrong_kind_of_file_is_unreadable() -> None:
    record = render(HEADER, SENDER._asdict() | {"sender_code": "1", "sender_name": "A", "date": "0101"})
    with pytest.raises(RecordUnreadable, match="type"):
        parse(record.replace(b"121", b"111", 1))  # 11 is 給与振込


def test_many_transfers_are_written_and_read_fast_and_take_no_memory() -> None:
    """In small: 500,000 are measured by `python -m bench zengin`."""

    class Hole(io.RawIOBase):
        def write(self, record: bytes) -> int:  # type: ignore[override]
            return len(record)

    before_kb, started_s = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    write_file(Hole(), SENDER, DAY, (ONE for _ in range(50_000)), BankOptions())  # type: ignore[arg-type]
    assert time.process_time() - started_s < 4
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 4_000
