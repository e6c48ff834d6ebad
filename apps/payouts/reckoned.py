"""What became of a run's payments, as people read it: a table with its two sums, what waits, and what is next."""

from collections.abc import Iterator
from typing import Any, Final

LINES: Final = {
    "paid": "paid",
    "in_flight": "with the bank, or on the way there",
    "failed": "failed",
    "returned": "sent back",
    "carried": "carried over to a later refund",
    "due": "waiting, or in no batch yet",
    "not_owed_yet": "no payment was made of it yet",
}
NEXT: Final = {  # what is to be done about a line that is not 0
    "not_owed_yet": "make_payouts {year} --run {run}",
    "due": "make_payouts {year} --run {run}, once what it waits for is there",
    "in_flight": "approve_payouts, submit_payouts, then import_payout_results or follow_stripe_payouts",
    "failed": "reissue_payouts {year} --run {run}, once another account is named",
    "returned": "reissue_payouts {year} --run {run}, once another account is named",
}
DIFFERENCES: Final = {
    "table": "the lines are not what was approved and carried in",
    "paid": "attempts say that more or less is paid than obligations do",
    "in_flight": "attempts say that more or less is on the way than obligations do",
    "recorded": "the refunds' settlements say that more or less is paid than obligations do",
}


def in_words(result: dict[str, Any]) -> str:
    """The words of `queries.reconciling.table`."""
    return "\n".join([*_table(result), "", *_waiting(result), *_end(result)])


def _table(result: dict[str, Any]) -> Iterator[str]:
    approved, carried_in = result["approved"], result["carried_in_minor"]
    yield _row(f"Run {result['year']}/{result['run']}, {result['state']}", "payments", "minor units")
    yield _row("approved", f"{approved['obligations']:,}", f"{approved['amount_minor']:,}")
    yield _row("carried in from earlier runs", "", f"{carried_in:,}")
    yield _row("", "", "-" * 15)
    yield _row("to be paid", "", f"{approved['amount_minor'] + carried_in:,}")
    yield ""
    total = result["settled_before_minor"]
    for name, text in LINES.items():
        line = result[name]
        total += line["amount_minor"]
        yield _row(text, f"{line['obligations']:,}", f"{line['amount_minor']:,}")
    yield _row("settled before, netted against debts", "", f"{result['settled_before_minor']:,}")
    yield _row("", "", "-" * 15)
    yield _row("sum of these", "", f"{total:,}")


def _row(name: str, count: str, amount: str) -> str:
    return f"{name:<40}{count:>12}{amount:>20}".rstrip()


def _waiting(result: dict[str, Any]) -> Iterator[str]:
    for one in result["waiting"]:
        yield f"Waiting, {one['waits_for']}: {one['obligations']:,} of {one['amount_minor']:,}. Needs: {one['needs']}."


def _end(result: dict[str, Any]) -> Iterator[str]:
    """Whether it adds up, and what is to be done next."""
    if not result["adds_up"]:
        yield "It does NOT add up. Send nothing more of this run before it is known why:"
        for name, amount_minor in result["differences_minor"].items():
            yield f"  {amount_minor:+,} {name}: {DIFFERENCES[name]}"
        return
    yield "It adds up to the last minor unit."
    for name, what in NEXT.items():
        if result[name]["obligations"]:
            yield f"{LINES[name].capitalize()}: {what.format(**result)}."
    if result["nothing_open"] and result["state"] == "paying":
        yield f"Nothing is open: reconcile_payouts {result['year']} --run {result['run']} --close closes the run."
