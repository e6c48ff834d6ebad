"""What is wrong with a row of the register's table, in the reader's language. Never what stands in it."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.residents.register.rows import Defect

DEFECTS: Final[dict[str, Promise]] = {
    "row_width": _("The row has more or fewer columns than the first line: look for a comma or quote too many."),
    "number_missing": _("Give the individual number, or the resident code."),
    "number_malformed": _("An individual number has 12 digits."),
    "check_digit_wrong": _("The check digit is wrong: look for a mistyped digit."),
    "code_malformed": _("A resident code has 11 digits; leave it empty if it is unknown."),
    "text_missing": _("This may not be empty."),
    "text_too_long": _("The text is too long."),
    "text_unprintable": _("Remove line breaks, tabs and control characters."),
    "character_lost": _("Characters were lost when the file was made: export it in UTF-8."),
    "date_missing": _("Give the day."),
    "date_unreadable": _(
        "Write a date as 2017-04-03, 2017/4/3, 20170403 or 平成29年4月3日; leave an unknown end empty."
    ),
    "dates_reversed": _("The days are in the wrong order: correct one of them."),
    "flag_unreadable": _("Write 1 or 0, true or false, 有 or 無."),
    "household_missing": _("A head needs the household's number."),
    "household_without_head": _("People live in this household and nobody is its head."),
    "second_head": _("The household has another head already."),
    "postal_code_malformed": _("A postal code has 7 digits; leave it empty if it is unknown."),
    "language_unknown": _("Letters are written in ja or en."),
    "event_unknown": _("There is no such event: leave it empty, or see docs/register.md."),
    "value_unfit": _("Write a whole number or a short text."),
    "repeated": _("The same number or code stands in another row."),
    "resident_unknown": _("Nobody is registered under this number."),
    "number_of_another": _("Neither name nor birth date is that of the resident who has this number."),
    "code_of_another": _("This resident code is somebody else's."),
    "residence_overlaps": _("These days overlap an earlier time of residence."),
    "contradiction": _("The row contradicts what the register knows."),
}


def defect_words(defect: Defect) -> str:
    """Why the row is not taken; one that is not listed says so itself, in English."""
    return str(DEFECTS.get(defect.code, defect.reason))
