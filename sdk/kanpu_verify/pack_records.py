"""What must hold of one refund's records: from what tills sent to the amount, and who sealed it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from kanpu_verify.checks import Finding
from kanpu_verify.ed25519 import verify
from kanpu_verify.pack import Pack
from kanpu_verify.pack_run import lines_of
from kanpu_verify.rules import refund_of
from kanpu_verify.statement import Statement

Sale = tuple[str, int]


def recomputed(pack: Pack, statement: Statement) -> Iterator[Finding]:
    """From purchases to entries, from entries to totals, from totals to the statement's spend, and to the refund."""
    entries = list(pack.rows("records/entries.csv"))
    yield _purchases(pack, _by_sale(entries))
    spend = _spend(entries)
    yield Finding("pack_totals", _totals(pack) == spend, {"entries": len(entries)})
    own = [
        sum(spend.get((line.tier, month), 0) for month in range(line.first_month, line.last_month + 1))
        for line in statement.lines
    ]
    yield Finding("pack_spend", own == [line.spend_minor for line in statement.lines], {"spend": sum(own)})
    lines = lines_of(pack.document("run.json"))
    again = refund_of(pack.document("rules/scheme.json"), lines, own)
    values = {"again": again, "entitled": statement.entitled_minor}
    if again is None:
        yield Finding("pack_refund_left_out", None, values)
    else:
        yield Finding("pack_refund", again == statement.entitled_minor, values)
    result = pack.document("recomputation/result.json")
    holds = result["identical"] is True and result["refund_minor"] == statement.entitled_minor
    yield Finding("pack_result", holds, {"refund": result["refund_minor"]})


def seals(pack: Pack) -> Iterator[Finding]:
    """Every seal's signature, under the terminal's key that is in the pack."""
    count, broken, unknown = 0, [], 0
    for row in pack.rows("records/seals.jsonl"):
        count += 1
        named = f"{row['terminal']}:{row['last_seq']}"
        key, head, signature = (bytes.fromhex(row[name]) for name in ("public_key", "head", "signature"))
        if not verify(public_key=key, signature=signature, message=head) or row["chain"] == "no":
            broken.append(named)
        unknown += row["chain"] == "unknown"
    if count:
        yield Finding("pack_seals", not broken, {"seals": count, "wrong": ", ".join(broken[:5])})
        yield Finding("pack_chain", None, {"checked": count - unknown - len(broken), "seals": count})
    else:
        yield Finding("pack_no_seals", None)


def amounts_in(lines: str) -> dict[str, int]:
    """Return the amounts of `tier=amount,tier=amount`, in minor units, those at 0 left out."""
    parts = (part.partition("=") for part in lines.split(",") if part)
    return {tier: int(amount) for tier, _, amount in parts if int(amount)}


def _by_sale(entries: list[Mapping[str, Any]]) -> dict[Sale, dict[str, int]]:
    """What entries leave of each sale."""
    found: dict[Sale, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        found[entry["of_terminal"], int(entry["of_seq"])][entry["tier"]] += int(entry["amount_minor"])
    return {sale: {tier: amount for tier, amount in tiers.items() if amount} for sale, tiers in found.items()}


def _purchases(pack: Pack, counted: Mapping[Sale, dict[str, int]]) -> Finding:
    """Entries leave of each purchase what the recomputation says, and of one that nothing followed what was sent."""
    sent = {(row["terminal"], row["seq"]): row["lines"] for row in pack.rows("records/purchases.jsonl")}
    wrong, plain, left = [], 0, {}
    for row in pack.rows("recomputation/left.csv"):
        sale = row["terminal"], int(row["seq"])
        left[sale] = amounts_in(row["lines"])
        if row["plain"] == "1":
            plain += 1
            if sale not in sent or amounts_in(sent[sale]) != left[sale]:
                wrong.append(sale)
    wrong += [sale for sale in {*counted, *left} if counted.get(sale, {}) != left.get(sale, {})]
    named = ", ".join(f"{terminal}:{seq}" for terminal, seq in sorted(set(wrong))[:5])
    values = {"purchases": len(left), "plain": plain, "settled": len(left) - plain, "wrong": named}
    return Finding("pack_purchases", not wrong, values)


def _spend(entries: list[Mapping[str, Any]]) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = defaultdict(int)
    for entry in entries:
        found[entry["tier"], int(entry["month"])] += int(entry["amount_minor"])
    return {place: amount for place, amount in found.items() if amount}


def _totals(pack: Pack) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = defaultdict(int)
    for row in pack.rows("records/totals.csv"):
        if row["tier"]:  # the row without a tier has all of them once more, where the scheme asks
            found[row["tier"], int(row["month"])] += int(row["amount_minor"])
    return {place: amount for place, amount in found.items() if amount}
