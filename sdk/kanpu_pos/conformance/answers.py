"""What a batch's answer has to say."""

from typing import Any

from kanpu_pos.conformance.expecting import equal, field, true
from kanpu_pos.conformance.link import Exchange, answered, check_error

Rejected = tuple[int, str] | tuple[int, str, str]  # index, code and, where it is named, the place within the record


def took(exchange: Exchange, *, accepted: int, duplicates: int = 0, rejected: tuple[Rejected, ...] = ()) -> Any:
    """Return a 200's JSON; raise Failure unless this became of the batch, and `results` says so record by record."""
    answer = answered(exchange)
    counts = {name: field(answer, name) for name in ("accepted", "duplicates", "rejected")}
    equal("counts", {"accepted": accepted, "duplicates": duplicates, "rejected": len(rejected)}, counts)
    rows = [row for row in field(answer, "results") if field(row, "status") == "rejected"]
    equal("the rejected records", [want[0] for want in rejected], [field(row, "index") for row in rows])
    for row, want in zip(rows, rejected, strict=True):
        error = field(row, "error")
        check_error(error)
        equal(f"the code of record {want[0]}", want[1], error["code"])
        if len(want) == 3:
            equal(f"the param of record {want[0]}", f"purchases[{want[0]}].{want[2]}", field(error, "param"))
    repeated = [row for row in answer["results"] if row["status"] == "duplicate"]
    equal("duplicates in results", duplicates, len(repeated))
    true("an ascending list of results", _ascends(answer["results"]), answer["results"])
    return answer


def stands(answer: Any, next_seq: int, missing: list[list[int]]) -> None:
    """Raise Failure unless an answer says so of the terminal."""
    equal("next_seq", next_seq, field(answer, "terminal", "next_seq"))
    equal("missing", missing, field(answer, "terminal", "missing"))


def _ascends(rows: Any) -> bool:
    indexes = [field(row, "index") for row in rows]
    return indexes == sorted(set(indexes))
