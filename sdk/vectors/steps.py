"""What sequences of requests are put together from: records, batches, and the answers they get."""

from typing import Any, Final, NamedTuple, TypeAlias

from fixed import TERMINAL

Json: TypeAlias = dict[str, Any]

AT: Final = "2017-04-03T09:30:00+09:00"


class Step(NamedTuple):
    """A request and its answer; `seal` names the seal that its body gets."""

    request: Json
    answer: Json
    seal: str = ""


class Sequence(NamedTuple):
    """Requests to a fresh terminal, one after another; `needs` says which of the given facts a server must share."""

    name: str
    steps: list[Step]
    needs: str = ""


def batch(*records: Json, **request: Any) -> Json:
    """Return a request with these records; further fields (`headers`, `repeat` …) stand beside its body."""
    return {"body": {"terminal": TERMINAL, "purchases": list(records)}, **request}


def sale(seq: int, **changes: Any) -> Json:
    """Return a sale of one tier without card and claim."""
    return {"seq": seq, "at": AT, "lines": [amount()], **changes}


def following(kind: str, seq: int, of_seq: int, **changes: Any) -> Json:
    """Return a return, void or correction of a record of the same terminal."""
    return {"seq": seq, "at": AT, "kind": kind, "of": {"terminal": TERMINAL, "seq": of_seq}, **changes}


def amount(tier: str = "reduced", amount_minor: Any = 1080) -> Json:
    """Return an amount of a tier."""
    return {"tier": tier, "amount": amount_minor}


def taken(
    accepted: int, next_seq: int, *results: Json, missing: tuple[list[int], ...] = (), duplicates: int | None = None
) -> Json:
    """Return a 200; `results` are its rejected records and duplicates."""
    repeated = sum(row["status"] == "duplicate" for row in results) if duplicates is None else duplicates
    return {
        "status": 200,
        "body": {
            "accepted": accepted,
            "duplicates": repeated,
            "rejected": sum(row["status"] == "rejected" for row in results),
            "results": list(results),
            "terminal": {"next_seq": next_seq, "missing": list(missing)},
        },
    }


def rejected(index: int, seq: int | None, code: str, param: str | None = None, *, status: str = "rejected") -> Json:
    """Return the result of a record that is refused; `param` is the place within the record."""
    error = {"code": code} | ({} if param is None else {"param": f"purchases[{index}].{param}"})
    return {"index": index, "seq": seq, "status": status, "error": error}


def duplicate(index: int, seq: int) -> Json:
    """Return the result of a record that stands already."""
    return {"index": index, "seq": seq, "status": "duplicate"}


def refused(status: int, code: str, **error: Any) -> Json:
    """Return the answer to a request that is refused as a whole."""
    return {"status": status, "error": {"code": code, **error}}
