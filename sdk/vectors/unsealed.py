"""The sequences of `batches.json` to terminals without a key."""

from collections.abc import Iterator
from typing import Final

from fixed import TERMINAL, fixed_bytes
from kanpu_pos import base64url
from kanpu_pos.fields import MAX_AMOUNT_MINOR, MAX_LINES, MAX_SEQ
from kanpu_pos.token import PREFIX
from steps import AT, Json, Sequence, Step, amount, batch, duplicate, following, refused, rejected, sale, taken

CARD: Final = PREFIX + base64url.encode(bytes(range(85)))
CLAIM: Final = base64url.encode(fixed_bytes("claim"))
_TERMINAL_OF_NOBODY: Final = "nobody-has-this-terminal"

# Records that cannot be read: the place of the fault, and the change of a good sale (None takes a field away).
_MALFORMED: Final[tuple[tuple[str | None, Json], ...]] = (
    (None, {"at": None}),
    (None, {"lines": None}),
    ("at", {"at": "2017-04-03"}),
    ("at", {"at": "2017-04-03T09:30:00"}),
    ("at", {"at": "2017-02-30T09:30:00+09:00"}),
    ("at", {"at": 1491179400}),
    ("lines", {"lines": []}),
    ("lines", {"lines": [amount(f"tier_{n}") for n in range(MAX_LINES + 1)]}),
    (None, {"lines": [amount(), amount()]}),
    ("lines[0].tier", {"lines": [amount("Reduced")]}),
    ("lines[0].tier", {"lines": [amount("t" * 33)]}),
    ("lines[1].amount", {"lines": [amount(), amount("standard", 10.5)]}),
    ("lines[0].amount", {"lines": [amount("reduced", "1080")]}),
    ("lines[0].amount", {"lines": [amount("reduced", True)]}),
    ("card", {"card": CARD[:-1]}),
    ("card", {"card": CARD + "="}),
    ("claim", {"claim": CLAIM[:-1]}),
    ("claim", {"claim": CLAIM[:-1] + "9"}),
    ("kind", {"kind": "refund"}),
    ("of", {"kind": "return"}),
    ("of", {"kind": "void", "lines": None}),
    ("of", {"kind": "correction"}),
    ("year", {"kind": "closing", "lines": None, "totals": []}),
    ("totals", {"kind": "closing", "lines": None, "year": 2017}),
    ("of.seq", {"kind": "return", "of": {"terminal": TERMINAL, "seq": 0}}),
    ("of.terminal", {"kind": "return", "of": {"terminal": "No Terminal", "seq": 1}}),
)
_NO_BATCHES: Final = {
    "nothing": "",
    "half of it": '{"terminal": "tokyo-0001-03", "purcha',
    "a list": "[]",
    "no terminal": '{"purchases": []}',
    "no purchases": '{"terminal": "tokyo-0001-03"}',
    "purchases that are no list": '{"terminal": "tokyo-0001-03", "purchases": {}}',
    "a terminal that is a number": '{"terminal": 3, "purchases": []}',
    "a number that JSON has not": '{"terminal": "tokyo-0001-03", "purchases": [NaN]}',
}


def unsealed_sequences() -> Iterator[Sequence]:
    """Yield them all."""
    yield from _good()
    yield from _repeated()
    yield from _bad_records()
    yield from _of_other_times()
    yield from _bad_requests()
    yield from _sizes()


def _every_kind() -> list[Json]:
    return [
        sale(1, card=CARD, lines=[amount(), amount("standard", 550)]),
        sale(2, claim=CLAIM),
        sale(3),
        following("return", 4, 1, lines=[amount("reduced", 540)]),
        {"seq": 5, "at": AT, "kind": "unused"},
        following("correction", 6, 2, lines=[amount("standard", 1080)]),
        following("correction", 7, 3, lines=[amount()], sold_at="2017-04-03T09:20:00+09:00"),
        following("void", 8, 3),
        {"seq": 9, "at": AT, "kind": "closing", "year": 2017,
         "totals": [amount("reduced", 540), amount("standard", 1630)]},
    ]  # fmt: skip


def _good() -> Iterator[Sequence]:
    yield Sequence("a record of every kind", [Step(batch(*_every_kind()), taken(9, 10))])
    yield Sequence("an empty batch", [Step(batch(), taken(0, 1))])
    yield Sequence(
        "fields that nobody knows are ignored",
        [Step(batch(sale(1, cashier="Aoki", basket=[{"sku": 4901, "of": None}])), taken(1, 2))],
    )
    yield Sequence(
        "records come in any order, and what is missing shows until it has come",
        [
            Step(batch(sale(7), sale(3)), taken(2, 8, missing=([1, 2], [4, 6]))),
            Step(batch(sale(5)), taken(1, 8, missing=([1, 2], [4, 4], [6, 6]))),
            Step(batch(sale(6), sale(4), sale(2), sale(1)), taken(4, 8)),
        ],
    )
    biggest = sale(MAX_SEQ, lines=[amount("reduced", MAX_AMOUNT_MINOR)])
    yield Sequence(
        "the largest seq and amount",
        [Step(batch(biggest), taken(1, MAX_SEQ + 1, missing=([1, MAX_SEQ - 1],)))],
    )


def _repeated() -> Iterator[Sequence]:
    every = _every_kind()
    yield Sequence(
        "the same batch again, and a part of it with more",
        [
            Step(batch(*every), taken(9, 10)),
            Step(batch(*every), taken(0, 10, *(duplicate(index, index + 1) for index in range(9)))),
            Step(batch(every[8], sale(10)), taken(1, 11, duplicate(0, 9))),
        ],
    )
    yield Sequence(
        "the same record in other JSON is the same: only its line counts",
        [
            Step(batch(sale(1)), taken(1, 2)),
            Step(batch({"lines": [amount()], "kind": "sale", "note": "x", "at": AT, "seq": 1}),
                 taken(0, 2, duplicate(0, 1))),
        ],
    )  # fmt: skip
    conflicts = [
        sale(1, lines=[amount("reduced", 1081)]),
        sale(1, at="2017-04-03T00:30:00Z"),
        sale(1, claim=CLAIM),
        {"seq": 1, "at": AT, "kind": "unused"},
    ]
    yield Sequence(
        "other content under a known number is refused, and the first stays",
        [
            Step(batch(sale(1)), taken(1, 2)),
            Step(batch(*conflicts), taken(0, 2, *(rejected(n, 1, "seq_conflict", "seq") for n in range(4)))),
            Step(batch(sale(1)), taken(0, 2, duplicate(0, 1))),
        ],
    )
    yield Sequence(
        "a number twice in one batch",
        [
            Step(
                batch(sale(1), sale(1), sale(1, claim=CLAIM)),
                taken(1, 2, duplicate(1, 1), rejected(2, 1, "seq_conflict", "seq")),
            )
        ],
    )
    bad = sale(1, lines=[amount("no_such_tier")])
    reason = ("tier_unknown", "lines[0].tier")
    yield Sequence(
        "a refused record has spent its number, and says why again",
        [
            Step(batch(bad), taken(0, 2, rejected(0, 1, *reason))),
            Step(batch(bad), taken(0, 2, rejected(0, 1, *reason, status="duplicate"))),
            Step(batch(sale(1)), taken(0, 2, rejected(0, 1, "seq_conflict", "seq"))),
        ],
    )


def _bad_records() -> Iterator[Sequence]:
    records = [_without_none(sale(index + 1, **change)) for index, (_, change) in enumerate(_MALFORMED)]
    results = [rejected(n, n + 1, "record_malformed", param) for n, (param, _) in enumerate(_MALFORMED)]
    count = len(records)
    yield Sequence(
        "records that cannot be read, beside a good one",
        [Step(batch(*records, sale(count + 1)), taken(1, count + 2, *results))],
    )
    no_numbers = [
        {"at": AT, "lines": [amount()]},
        sale(0),
        sale(MAX_SEQ + 1),
        sale(1) | {"seq": "1"},
        sale(1) | {"seq": 1.5},
    ]
    yield Sequence(
        "records without a number of their own spend none",
        [
            Step(
                batch(*no_numbers, sale(1)),
                taken(1, 2, *(rejected(n, None, "record_malformed") for n in range(len(no_numbers)))),
            )
        ],
    )
    other = {"terminal": _TERMINAL_OF_NOBODY, "seq": 1}
    yield Sequence(
        "what is named has to be of the same merchant, and for a void or a correction of the same terminal",
        [
            Step(
                batch(
                    following("return", 1, 1, of=other, lines=[amount()]),
                    following("void", 2, 1, of=other),
                    following("correction", 3, 1, of=other, lines=[amount()]),
                ),
                taken(0, 4, *(rejected(n, n + 1, "record_malformed", "of.terminal") for n in range(3))),
            )
        ],
    )
    yield Sequence("decisions on a good shape, beside a good record", [_decided()])
    yield Sequence("of two faults, the first in the protocol's order is named", [_two_faults()])


def _decided() -> Step:
    faults = [
        (sale(1, at="1999-04-03T09:30:00+09:00"), "year_not_open", "at"),
        (sale(2, lines=[amount(), amount("no_such_tier")]), "tier_unknown", "lines[1].tier"),
        (sale(3, lines=[amount("reduced", 0)]), "amount_invalid", "lines[0].amount"),
        (sale(4, lines=[amount(), amount("standard", -1)]), "amount_invalid", "lines[1].amount"),
        (sale(5, lines=[amount("reduced", MAX_AMOUNT_MINOR + 1)]), "amount_invalid", "lines[0].amount"),
        (sale(6, card=CARD, claim=CLAIM), "card_and_claim", "claim"),
        ({"seq": 7, "at": AT, "kind": "closing", "year": 1999, "totals": []}, "year_not_open", "year"),
    ]
    results = [rejected(index, index + 1, code, param) for index, (_, code, param) in enumerate(faults)]
    return Step(batch(*(record for record, _, _ in faults), sale(8)), taken(1, 9, *results))


def _two_faults() -> Step:
    both = {"card": CARD, "claim": CLAIM}
    faults = [
        (sale(1, at="yesterday", lines=[amount("no_such_tier")]), "record_malformed"),
        (sale(2, at="1999-04-03T09:30:00+09:00", lines=[amount("no_such_tier")]), "year_not_open"),
        (sale(3, lines=[amount("reduced", 0), amount("no_such_tier")]), "tier_unknown"),
        (sale(4, lines=[amount("reduced", 0)], **both), "amount_invalid"),
    ]
    results = [rejected(index, index + 1, code) for index, (_, code) in enumerate(faults)]
    return Step(batch(*(record for record, _ in faults)), taken(0, 5, *results))


def _of_other_times() -> Iterator[Sequence]:
    books = [amount("books", 700)]
    yield Sequence(
        "a tier counts from its first day in the scheme's time zone",
        [
            Step(
                batch(
                    sale(1, at="2017-06-30T23:59:59+09:00", lines=books),
                    sale(2, at="2017-06-30T15:00:00Z", lines=books),
                ),
                taken(1, 3, rejected(0, 1, "tier_not_in_force", "lines[0].tier")),
            )
        ],
        needs="the tiers",
    )
    yield Sequence(
        "a year is closed from its deadline on",
        [
            Step(
                batch(sale(1, at="2016-12-31T14:59:59Z"), sale(2, at="2016-12-31T15:00:00Z")),
                taken(1, 3, rejected(0, 1, "year_closed", "at")),
            )
        ],
        needs="the years",
    )
    yield Sequence(
        "ten minutes ahead is taken, more is not",
        [
            Step(
                batch(
                    sale(1, at="2018-01-15T00:10:00Z"),
                    sale(2, at="2018-01-15T00:10:01Z"),
                    sale(3, at="2018-01-15T09:10:00+09:00"),
                ),
                taken(2, 4, rejected(1, 2, "from_the_future", "at")),
            )
        ],
        needs="the time now",
    )


def _bad_requests() -> Iterator[Sequence]:
    for name, text in _NO_BATCHES.items():
        yield Sequence(f"malformed: {name}", [Step({"body_text": text}, refused(400, "malformed")), _nothing_taken()])
    plain = batch(sale(1))
    wrong_key = {"Authorization": "Bearer kp_test_nobody-has-this-key-000000000000"}
    yield Sequence(
        "no such key",
        [Step({**plain, "headers": wrong_key}, refused(401, "key_invalid")), _nothing_taken()],
    )
    other = {"terminal": _TERMINAL_OF_NOBODY, "purchases": [sale(1)]}
    yield Sequence(
        "another's terminal, or nobody's",
        [Step({"body": other}, refused(403, "terminal_not_yours", param="terminal")), _nothing_taken()],
    )
    for name, headers in (
        ("not JSON by its name", {"Content-Type": "text/plain"}),
        ("an encoding that nobody asked for", {"Content-Encoding": "br"}),
    ):
        yield Sequence(name, [Step({**plain, "headers": headers}, refused(415, "unsupported_media_type"))])
    yield Sequence(
        "not gzip, though it says so",
        [Step({**plain, "headers": {"Content-Encoding": "gzip"}}, refused(400, "malformed")), _nothing_taken()],
    )


def _sizes() -> Iterator[Sequence]:
    unused: Json = {"seq": 1, "at": AT, "kind": "unused"}
    yield Sequence("a thousand records", [Step(batch(unused, repeat=1000), taken(1000, 1001))])
    yield Sequence(
        "a thousand and one",
        [Step(batch(unused, repeat=1001), refused(413, "batch_too_large")), _nothing_taken()],
    )
    yield Sequence("a MiB of JSON", [Step(batch(unused, pad_to_bytes=2**20), taken(1, 2))])
    yield Sequence(
        "a MiB and a byte",
        [Step(batch(unused, pad_to_bytes=2**20 + 1), refused(413, "batch_too_large")), _nothing_taken()],
    )


def _nothing_taken() -> Step:
    return Step(batch(), taken(0, 1))


def _without_none(record: Json) -> Json:
    return {name: value for name, value in record.items() if value is not None}
