"""Reading the server's answer: positions, sums, and what is not believed."""

import json
import pickle
from typing import Any

import pytest
from kanpu_pos.batch import StoredRecordError
from kanpu_pos.connection import ApiError, GaveUpError
from kanpu_pos.fields import FieldError
from kanpu_pos.report import Rejected, Report, parse_report, shifted_param
from kanpu_pos.shape import UnexpectedAnswerError

REFUSAL = {
    "index": 1,
    "seq": 1043,
    "status": "rejected",
    "error": {
        "code": "tier_unknown",
        "param": "purchases[1].lines[0].tier",
        "message": "no tier foo",
        "doc_url": "https://kanpu.example/docs/errors#tier_unknown",
    },
}
ANSWER: dict[str, Any] = {
    "accepted": 1,
    "duplicates": 1,
    "rejected": 1,
    "results": [{"index": 0, "seq": 1042, "status": "duplicate"}, REFUSAL],
    "terminal": {"next_seq": 1045, "missing": [[990, 992]]},
}


def parse(answer: Any, first_index: int = 0, count: int = 3) -> Report:
    return parse_report(json.dumps(answer).encode(), first_index=first_index, count=count)


def test_positions_count_from_what_was_passed_in() -> None:
    assert parse(ANSWER, first_index=2000) == Report(
        first_index=2000,
        count=3,
        accepted=1,
        duplicates=1,
        rejected=(
            Rejected(
                index=2001,
                seq=1043,
                code="tier_unknown",
                param="purchases[2001].lines[0].tier",
                message="no tier foo",
                doc_url="https://kanpu.example/docs/errors#tier_unknown",
            ),
        ),
        next_seq=1045,
        missing=((990, 992),),
    )


def test_a_record_rejected_for_its_seq_has_none() -> None:
    refusal = {**REFUSAL, "seq": None, "error": {"code": "record_malformed"}}
    [rejected] = parse({**ANSWER, "results": [refusal]}).rejected
    assert (rejected.seq, rejected.param, rejected.message) == (None, None, "")


@pytest.mark.parametrize(
    "change",
    [
        {"accepted": 2},
        {"accepted": 0},
        {"accepted": True},
        {"accepted": -1, "duplicates": 3},
        {"accepted": "1"},
        {"duplicates": None},
        {"rejected": 0, "accepted": 2},
        {"results": []},
        {"results": None},
        {"results": [REFUSAL, REFUSAL]},
        {"results": [REFUSAL, REFUSAL], "rejected": 2, "accepted": 0},
        {"results": [{**REFUSAL, "index": 3}]},
        {"results": [{**REFUSAL, "index": -1}]},
        {"results": [{**REFUSAL, "error": None}]},
        {"terminal": None},
        {"terminal": {"next_seq": None, "missing": []}},
        {"terminal": {"next_seq": 1, "missing": [[3, 2]]}},
        {"terminal": {"next_seq": 1, "missing": [[1]]}},
    ],
    ids=str,
)
def test_an_answer_that_does_not_account_for_every_record_is_not_believed(change: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedAnswerError):
        parse({**ANSWER, **change})


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>", b"[]", b"null", b"\xff\xfe"])
def test_what_is_no_report_is_not_believed(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError):
        parse_report(body, first_index=0, count=0)


def test_reports_add_up() -> None:
    first, second = (
        parse(ANSWER),
        parse({**ANSWER, "terminal": {"next_seq": 2000, "missing": []}}, first_index=3),
    )
    total = Report().followed_by(first).followed_by(second)
    assert (total.first_index, total.count, total.accepted, total.duplicates) == (0, 6, 2, 2)
    assert [rejected.index for rejected in total.rejected] == [1, 4]
    assert (total.next_seq, total.missing) == (2000, ())


def test_nothing_sent_is_nothing_reported() -> None:
    assert (Report().count, Report().next_seq) == (0, None)


@pytest.mark.parametrize(
    ("param", "shifted"),
    [
        (None, None),
        ("terminal", "terminal"),
        ("purchases[0]", "purchases[1000]"),
        ("purchases[7].lines[2].amount", "purchases[1007].lines[2].amount"),
        ("seal.head", "seal.head"),
    ],
)
def test_a_param_is_shifted_to_the_position_in_all_records(param: str | None, shifted: str | None) -> None:
    assert shifted_param(param, 1000) == shifted


@pytest.mark.parametrize(
    "error",
    [
        ApiError(422, "chain_broken", param="seal", message="m", doc_url="d", request_id="r", retry_after="3"),
        GaveUpError(3, 1.5, "refused"),
        FieldError("seq", "no"),
        StoredRecordError(4, "no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_whole_out_of_another_process(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), vars(copy), str(copy)) == (type(error), vars(error), str(error))


def test_a_record_refused_when_it_first_came_is_rejected_and_no_duplicate() -> None:
    error = {"code": "tier_unknown", "param": "purchases[1].lines[0].tier", "message": "no", "doc_url": "/x"}
    answer = {
        "accepted": 0,
        "duplicates": 2,
        "rejected": 0,
        "results": [
            {"index": 0, "seq": 7, "status": "duplicate"},
            {"index": 1, "seq": 8, "status": "duplicate", "error": error},
        ],
        "terminal": {"next_seq": 9, "missing": []},
    }
    report = parse_report(json.dumps(answer).encode(), first_index=10, count=2)
    assert (report.accepted, report.duplicates) == (0, 1)
    assert [(each.index, each.seq, each.code) for each in report.rejected] == [(11, 8, "tier_unknown")]
