"""`statements.json`: refund statements that hold, and what must be found of them when one thing is changed.

The trees are those of `merkle.py`, over salted leaves made here by hand.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fixed import fixed_bytes
from merkle import consistency, inclusion, leaf_hash, root

_SCHEME: Final = {"code": "jp-2015", "version": 1, "sha256": fixed_bytes("scheme").hex()}
_FIRST_RUN: Final = 5  # statements; the second run adds two
_OTHER: Final = fixed_bytes("another hash").hex()


def statements_document() -> dict[str, Any]:
    """Return `statements.json`."""
    return {
        "about": "A refund statement's `body` is the text made of its figures, `leaf` is SHA-256(0x00, salt, body). "
        "Each of `hold` passes all checks. In `do_not_hold` and `unusable`, the value at `path` (names and, in a list, "
        "indices from 0) of the statement with index `of` is replaced by `value`: then exactly the checks in `fails` "
        "fail, or the file is no statement at all.",
        "hold": [{"body": _body(row), "leaf": _leaf(row, salt).hex(), "statement": row} for row, salt in _statements()],
        "do_not_hold": [{"of": of, "path": path, "value": value, "fails": fails} for of, path, value, fails in _WRONG],
        "unusable": [{"of": of, "path": path, "value": value} for of, path, value in _UNUSABLE],
    }


def _statements() -> list[tuple[dict[str, Any], bytes]]:
    salts = [fixed_bytes(f"salt {index}") for index in range(_FIRST_RUN + 2)]
    data = [fixed_bytes(f"someone else's statement {index}") for index in range(_FIRST_RUN + 2)]
    at_cap, corrected, pooled = _at_cap(), _corrected(), _pooled()
    for index, row in ((2, at_cap), (3, pooled), (_FIRST_RUN + 1, corrected)):
        data[index] = salts[index] + _body(row).encode()
    at_cap["proof"] = _proof(2, salts[2], data[:_FIRST_RUN], ())
    corrected["proof"] = _proof(_FIRST_RUN + 1, salts[_FIRST_RUN + 1], data, (_FIRST_RUN,))
    pooled["proof"] = _proof(3, salts[3], data, (_FIRST_RUN, _FIRST_RUN + 2))
    return [(at_cap, salts[2]), (corrected, salts[_FIRST_RUN + 1]), (pooled, salts[3])]


def _at_cap() -> dict[str, Any]:
    return {
        **_head("resident 1", run=1, entitled=4000, earlier=0),
        "lines": [_line("reduced", 1, 12, 275_000, [1, 55]), _line("standard", 1, 12, 23_000, [0, 1])],
        "cuts": [{"rule": 0, "period": 1, "before": 550_000, "after": 440_000}],
        "denominator": 110,
    }


def _corrected() -> dict[str, Any]:
    """A second run takes back a part, and the rate changed in October."""
    return {
        **_head("resident 2", run=2, entitled=1536, earlier=1600),
        "lines": [_line("reduced", 1, 9, 66_000, [1, 55]), _line("reduced", 10, 12, 18_500, [1, 55])],
        "cuts": [],
        "denominator": 110,
    }


def _pooled() -> dict[str, Any]:
    """Caps on purchases and on a household: the lines cannot be added up from the file."""
    return {
        **_head("resident 3", run=1, entitled=12, earlier=0),
        "lines": [_line("reduced", 1, 6, 900, [1, 10], base=12)],
        "cuts": [
            {"rule": 0, "period": 1, "before": 90, "after": 15, "per": "half_year", "for": "household"},
            {"rule": 1, "period": 1, "before": 15, "after": 12},
        ],
        "denominator": 1,
    }


def _head(name: str, *, run: int, entitled: int, earlier: int) -> dict[str, Any]:
    digits = fixed_bytes(name, 16).hex()
    ref = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return {
        "format": "kanpu refund statement v1",
        "resident_ref": ref,
        "year": 2017,
        "run": run,
        "scheme": _SCHEME,
        "currency": "JPY",
        "minor_unit_digits": 0,
        "entitled_minor": entitled,
        "earlier_minor": earlier,
        "due_minor": entitled - earlier,
        "run_digest": fixed_bytes(f"run {run}").hex(),
    }


def _line(tier: str, first: int, last: int, spend: int, share: list[int], *, base: int | None = None) -> dict[str, Any]:
    row = {"tier": tier, "first_month": first, "last_month": last, "spend_minor": spend, "base_minor": base}
    words = {"ja": "（説明）", "en": "(explanation)"}
    return {**row, "share": share, "words": words}


def _body(row: Mapping[str, Any]) -> str:
    """Return the ten lines of a statement's leaf."""
    lines = ",".join(
        f"{line['tier']}:{line['first_month']}-{line['last_month']}={line['spend_minor']}"
        + ("" if line["base_minor"] is None else f"/{line['base_minor']}")
        for line in row["lines"]
    )
    cuts = ",".join(f"{cut['rule']}:{cut['period']}={cut['before']}>{cut['after']}" for cut in row["cuts"])
    return (
        f"kanpu refund statement v1\nyear {row['year']}\nrun {row['run']}\nscheme {row['scheme']['sha256']}\n"
        f"resident {row['resident_ref']}\nentitled {row['entitled_minor']}\nearlier {row['earlier_minor']}\n"
        f"due {row['due_minor']}\nlines {lines or '-'}\ncuts {cuts or '-'}"
    )


def _leaf(row: Mapping[str, Any], salt: bytes) -> bytes:
    return leaf_hash(salt + _body(row).encode())


def _proof(index: int, salt: bytes, data: Sequence[bytes], old_sizes: Sequence[int]) -> dict[str, Any]:
    return {
        "salt": salt.hex(),
        "leaf_index": index,
        "tree_size": len(data),
        "root": root(data).hex(),
        "path": [step.hex() for step in inclusion(index, data)],
        "earlier": [
            {
                "run": run,
                "tree_size": size,
                "root": root(data[:size]).hex(),
                "path": [step.hex() for step in consistency(size, data)],
            }
            for run, size in enumerate(old_sizes, 1)
        ],
    }


_WRONG: Final[Sequence[tuple[int, list[str | int], Any, list[str]]]] = (
    (0, ["resident_ref"], "00000000-0000-4000-8000-000000000000", ["inclusion"]),
    (0, ["year"], 2018, ["inclusion"]),
    (0, ["run"], 2, ["inclusion", "order"]),
    (0, ["scheme", "sha256"], _OTHER, ["inclusion"]),
    (0, ["entitled_minor"], 4001, ["due", "inclusion"]),
    (0, ["earlier_minor"], 1, ["due", "inclusion"]),
    (0, ["due_minor"], 4001, ["due", "inclusion"]),
    (0, ["lines", 0, "tier"], "standard", ["inclusion"]),
    (0, ["lines", 0, "first_month"], 2, ["inclusion"]),
    (0, ["lines", 0, "last_month"], 11, ["inclusion"]),
    (0, ["lines", 0, "spend_minor"], 275_001, ["arithmetic_cut", "inclusion"]),
    (0, ["lines", 0, "base_minor"], 0, ["inclusion"]),
    (0, ["lines", 0, "share"], [1, 54], ["arithmetic_cut"]),
    (0, ["lines"], [], ["arithmetic_cut", "inclusion"]),
    (0, ["cuts", 0, "rule"], 1, ["inclusion"]),
    (0, ["cuts", 0, "period"], 2, ["inclusion"]),
    (0, ["cuts", 0, "before"], 550_001, ["arithmetic_cut", "inclusion"]),
    (0, ["cuts", 0, "after"], 440_001, ["inclusion"]),
    (0, ["cuts"], [], ["arithmetic", "inclusion"]),
    (0, ["denominator"], 55, ["arithmetic_cut"]),
    (0, ["proof", "salt"], _OTHER, ["inclusion"]),
    (0, ["proof", "leaf_index"], 3, ["inclusion"]),
    (0, ["proof", "leaf_index"], 5, ["inclusion"]),
    (0, ["proof", "tree_size"], 9, ["inclusion"]),
    (0, ["proof", "root"], _OTHER, ["inclusion"]),
    (0, ["proof", "path"], [], ["inclusion"]),
    (0, ["proof", "path", 0], _OTHER, ["inclusion"]),
    (1, ["due_minor"], 64, ["due", "inclusion"]),
    (1, ["lines", 1, "share"], [2, 55], ["arithmetic"]),
    (1, ["proof", "earlier"], [], ["order"]),
    (1, ["proof", "earlier", 0, "run"], 2, ["order"]),
    (1, ["proof", "earlier", 0, "tree_size"], 4, ["consistency"]),
    (1, ["proof", "earlier", 0, "tree_size"], 7, ["order", "consistency"]),
    (1, ["proof", "earlier", 0, "root"], _OTHER, ["consistency"]),
    (1, ["proof", "earlier", 0, "path", 0], _OTHER, ["consistency"]),
    (1, ["proof", "root"], _OTHER, ["inclusion", "consistency"]),
    (2, ["lines", 0, "base_minor"], 13, ["inclusion"]),
    (2, ["lines", 0, "base_minor"], None, ["inclusion"]),
    (2, ["proof", "earlier", 0, "run"], 3, ["order"]),
    (2, ["proof", "earlier", 1, "tree_size"], 5, ["consistency"]),
)

_UNUSABLE: Final[Sequence[tuple[int, list[str | int], Any]]] = (
    (0, ["format"], "kanpu refund statement v2"),
    (0, ["run"], 0),
    (0, ["due_minor"], "4000"),
    (0, ["due_minor"], True),
    (0, ["resident_ref"], "A0000000-0000-4000-8000-000000000000"),
    (0, ["scheme"], None),
    (0, ["lines"], None),
    (0, ["lines", 0, "tier"], "reduced:1-12=1,standard"),
    (0, ["lines", 0, "first_month"], 13),
    (0, ["lines", 0, "share"], [1, 0]),
    (0, ["denominator"], 0),
    (0, ["proof", "salt"], "00"),
    (0, ["proof", "salt"], _OTHER.upper()),
    (0, ["proof", "leaf_index"], -1),
    (0, ["proof", "path", 0], ""),
    (1, ["lines", 1, "last_month"], 9),
    (1, ["proof", "earlier", 0, "path"], "none"),
)
