"""`batches.json`: sequences of requests to a fresh terminal, good and bad, and what each is answered."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fixed import TERMINAL, public_bytes, till_key
from kanpu_pos import base64url, digest_0, extended, from_json, line
from steps import Json, Sequence, Step, amount, batch, duplicate, following, refused, rejected, sale, taken
from unsealed import unsealed_sequences

SEALS: Final = {
    "right": "the digest after the batch's last record, signed with the terminal's key",
    "head_before": "the digest before the batch's last record, signed with the terminal's key",
    "another_key": "the right head, signed with another key",
    "no_signature": "the right head and an empty signature",
}
_ABOUT: Final = (
    "Requests to POST /v1/purchases, each sequence to a terminal of its own that has sent nothing yet, its requests "
    "one after another. Sealed sequences are to a terminal enrolled with `public_key`. To play them on a server, put "
    "the code of a fresh terminal in the place of `terminal` wherever that stands, and make the seal that `seal` names "
    "anew for that code. A sequence with `needs` can be played only where that part of `given` holds. `body_text` is a "
    "body that is not JSON or not of its shape; `repeat` says how many copies of its last record a body has, numbered "
    "on; `pad_to_bytes` its size, reached by spaces at the end. `headers` are sent beside Authorization and "
    "Content-Type, or in their place. An answer has what is written here, and may have more; an error without `param` "
    "here may have any."
)


def batches_document() -> dict[str, Any]:
    """Return `batches.json`."""
    sequences = [(False, sequence) for sequence in unsealed_sequences()]
    sequences += [(True, sequence) for sequence in _sealed_sequences()]
    return {
        "about": _ABOUT,
        "terminal": TERMINAL,
        "private_key": till_key("1").private_bytes_raw().hex(),
        "public_key": public_bytes(till_key("1")).hex(),
        "seals": SEALS,
        "given": {
            "the time now": "2018-01-15T00:00:00Z",
            "the time zone": "Asia/Tokyo",
            "the years": [
                {"year": 2016, "deadline_at": "2017-03-16T00:00:00+09:00"},
                {"year": 2017, "deadline_at": "2018-03-16T00:00:00+09:00"},
                {"year": 2018, "deadline_at": "2019-03-16T00:00:00+09:00"},
            ],
            "the tiers": [
                {"code": "reduced", "from": "2015-01-01"},
                {"code": "standard", "from": "2015-01-01"},
                {"code": "books", "from": "2017-07-01"},
            ],
        },
        "sequences": [_row(sequence, sealed=sealed) for sealed, sequence in sequences],
    }


def _row(sequence: Sequence, *, sealed: bool) -> Json:
    needs = {"needs": sequence.needs} if sequence.needs else {}
    return {"name": sequence.name, "sealed": sealed, **needs, "requests": _requests(sequence.steps)}


def _requests(steps: list[Step]) -> list[Json]:
    """The requests with their answers and seals; the chain grows by what is taken."""
    chain = {0: digest_0(TERMINAL)}
    rows = []
    for step in steps:
        row = copy.deepcopy(step.request)
        if step.seal:
            records = row["body"]["purchases"]
            longer = _longer(chain, records)
            row["body"]["seal"] = _seal(step.seal, longer, records[-1]["seq"])
            row["seal"] = step.seal
            chain = longer if step.answer["status"] == 200 else chain
        rows.append({**row, "answer": step.answer})
    return rows


def _longer(chain: Mapping[int, bytes], records: list[Json]) -> dict[int, bytes]:
    longer = dict(chain)
    for record in records:
        before = longer.get(record["seq"] - 1, bytes(32))  # after a gap nobody knows it
        longer[record["seq"]] = extended(before, line(from_json(json.dumps(record).encode())))
    return longer


def _seal(name: str, chain: Mapping[int, bytes], last_seq: int) -> Json:
    head = chain[last_seq - 1 if name == "head_before" else last_seq]
    signature = till_key("2" if name == "another_key" else "1").sign(head)
    return {"head": base64url.encode(head), "signature": "" if name == "no_signature" else base64url.encode(signature)}


def _sealed_sequences() -> Iterator[Sequence]:
    yield from _sealed_well()
    yield from _sealed_badly()
    yield from _broken_chains()


def _sealed_well() -> Iterator[Sequence]:
    first = batch(sale(1), sale(2), {"seq": 3, "at": sale(3)["at"], "kind": "unused"})
    second = batch(following("void", 4, 1), following("correction", 5, 2, lines=[amount("standard", 1080)]))
    across = batch(*first["body"]["purchases"][1:], *second["body"]["purchases"], sale(6))
    known = [duplicate(index, index + 2) for index in range(4)]
    yield Sequence(
        "sealed batches, one after another, again, and across what is known",
        [
            Step(first, taken(3, 4), "right"),
            Step(second, taken(2, 6), "right"),
            Step(first, taken(0, 6, *(duplicate(index, index + 1) for index in range(3))), "right"),
            Step(across, taken(1, 7, *known), "right"),
            Step(batch(sale(2)), taken(0, 7, duplicate(0, 2)), "right"),
        ],
    )
    bad = sale(2, lines=[amount("no_such_tier")])
    yield Sequence(
        "a rejected record is in the chain",
        [
            Step(batch(sale(1), bad), taken(1, 3, rejected(1, 2, "tier_unknown", "lines[0].tier")), "right"),
            Step(batch(sale(3)), taken(1, 4), "right"),
        ],
    )


def _sealed_badly() -> Iterator[Sequence]:
    good = batch(sale(1), sale(2))
    taken_after_all = Step(good, taken(2, 3), "right")
    yield Sequence("a seal is missing", [Step(good, refused(422, "seal_missing")), taken_after_all])
    for name, seal in (
        ("a head that is not that of the batch", "head_before"),
        ("a signature with another key", "another_key"),
        ("an empty signature", "no_signature"),
    ):
        yield Sequence(name, [Step(good, refused(422, "seal_mismatch"), seal), taken_after_all])


def _broken_chains() -> Iterator[Sequence]:
    start = Step(batch(sale(1), sale(2)), taken(2, 3), "right")
    broken = refused(422, "chain_broken", next_seq=3)
    go_on = Step(batch(sale(3)), taken(1, 4), "right")
    for name, records in (
        ("a sealed batch that leaves a number out", [sale(4)]),
        ("a sealed batch with a gap inside", [sale(3), sale(5)]),
        ("a sealed batch that does not ascend", [sale(4), sale(3)]),
        ("a sealed batch with other content under a known number", [sale(2, lines=[amount("reduced", 1)]), sale(3)]),
    ):
        yield Sequence(name, [start, Step(batch(*records), broken, "right"), go_on])
