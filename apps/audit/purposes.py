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
OWN: Final = "own page"  # of residents who look at their own data
ACTING: Final = "acting"  # of proxies and parents, who are told of by a message of their own
NAMING: Final = "naming"  # of residents who are shown whom they are about to name, or have named, by that one's code
HOUSEHOLD: Final = "household page"  # of members of a household who look at those who consented, and at children
E_MAIL: Final = "e-mail"  # of the process that sends residents' messages
# On record, and no message beside it: what reaches each resident anyway, and what they let others see.
ROUTINE: Final = frozenset(
    {
        OWN, ACTING, NAMING, HOUSEHOLD, E_MAIL,
        "activation", "card notices", "decision letters", "card personalisation", "payment files",
    }
)  # fmt: skip
AUTOMATIC: Final[dict[str, Promise]] = {
    ACTING: _("Acting for a resident"),
    NAMING: _("Naming somebody who acts for a resident"),
    HOUSEHOLD: _("Seeing the own household"),
    E_MAIL: _("Sending messages by e-mail"),
    "activation": _("Checking a letter's code"),
    "card notices": _("Printing letters about cards"),
    "decision letters": _("Printing letters of decisions"),
    "card personalisation": _("Making cards"),
    "payment files": _("Paying refunds"),
}


def counted_as(purpose: str) -> str:
    """The purpose under which an access is counted: what an officer typed counts as another."""
    return purpose if purpose in PURPOSES or purpose in ROUTINE else OTHER


def counted_words(purpose: str) -> str:
    """A counted purpose in the reader's language."""
    return str((PURPOSES | AUTOMATIC | {OTHER: _("Another purpose")}).get(purpose, purpose))


def purpose_words(purpose: str) -> str:
    """A record's purpose in the reader's language; one that was typed is as it was typed."""
    return str((PURPOSES | {OTHER: _("Another purpose")}).get(purpose, purpose))
