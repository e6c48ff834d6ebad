"""Result files as auditors see them: which came, and what each of their lines did."""

from typing import Any, Final, NamedTuple

from django.core.paginator import Page, Paginator
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.console.queries.payouts_batches import LARGEST_ID, PaymentMissing
from apps.payouts.models import ResultFile

FILES_A_PAGE: Final = 50
PROBLEMS: Final[dict[str, Promise]] = {
    "record_unreadable": _("The line is no record of a transfer file, or damaged."),
    "out_of_place": _("The record does not belong here."),
    "does_not_add_up": _("Count or sum of the trailer is not that of the lines before it."),
    "cut": _("The file ends too early. Ask the bank for the whole file: what was taken is not taken twice."),
    "foreign": _("This is no transfer of ours, or another sender's or bank's."),
    "other_amount": _("The amount is not the one that was sent."),
    "result_unknown": _("The bank's options do not name this result code."),
    "not_sent": _("This transfer was never sent to the bank."),
    "paid_too_much": _("The refund is settled otherwise already. The payment was not recorded: tell your operators."),
    "contradiction": _("The bank said something else before. Nothing was changed: ask the bank."),
}


class ProblemRow(NamedTuple):
    """A line that could not be taken: which (0: the file), why in words, and what the reader of the file said."""

    line: int
    why: Promise | str
    text: str


def results_page(page: Any) -> "Page[ResultFile]":
    """A page of imported files, the newest first: two queries."""
    return Paginator(
        ResultFile.objects.select_related("bank").defer("problems").order_by("-pk"), FILES_A_PAGE
    ).get_page(page)


def result_file(pk: int) -> ResultFile:
    """An imported file. Raises PaymentMissing."""
    found = ResultFile.objects.select_related("bank").filter(pk=min(pk, LARGEST_ID)).first()
    if found is None:
        raise PaymentMissing(f"There is no result file {pk}.")
    return found


def problems_of(file: ResultFile) -> list[ProblemRow]:
    """What could not be taken, in the file's order."""
    return [ProblemRow(one["line"], PROBLEMS.get(one["code"], one["code"]), one["why"]) for one in file.problems]
