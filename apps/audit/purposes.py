"""For what staff open a resident's data: the purposes that they choose from, as the trail keeps them and in words."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

OTHER: Final = "other"  # in the trail stands what was typed instead
AT_OFFICES: Final[dict[str, Promise]] = {
    "card": _("The card"),
    "notice": _("The letter with the code"),
    "account": _("The account for the refund"),
    "household": _("A question about the household"),
    "correction": _("A correction"),
    "complaint": _("A complaint"),
}
OF_AUDITORS: Final[dict[str, Promise]] = {
    "check": _("A check of a refund"),
    "dispute": _("A dispute about a purchase"),
    "appeal": _("An appeal"),
    "fraud": _("A suspicion of fraud"),
    "complaint": _("A complaint"),
}
BY_THEMSELVES: Final[dict[str, Promise]] = {"lost_card": _("A card was reported lost by telephone")}
PURPOSES: Final = AT_OFFICES | OF_AUDITORS | BY_THEMSELVES


def purpose_words(purpose: str) -> str:
    """A record's purpose in the reader's language; one that was typed is as it was typed."""
    return str(PURPOSES.get(purpose, purpose))
