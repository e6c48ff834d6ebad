"""What `/transparency` says in words: who may see what, and what nobody here can see. Pure."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.audit.officers import Role, Thing

THINGS: Final[dict[Thing, Promise]] = {
    Thing.PERSON: _("Names, birth date and address"),
    Thing.CARDS: _("Cards and their state, never their numbers"),
    Thing.LETTERS: _("When letters with a code were sent, never the codes"),
    Thing.HOUSEHOLD: _("Household and changes of the register"),
    Thing.CHOICES: _("Whether purchases are recorded"),
    Thing.PURCHASES: _("Purchases: shop, time and amounts by tax tier"),
    Thing.REFUNDS: _("Refunds and the purchases behind them, under a random reference, without any name"),
    Thing.DECISIONS: _("Decisions and appeals, under a random reference"),
    Thing.QUESTIONS: _("What residents ask of those who looked"),
    Thing.ACCESSES: _("Which officers looked at how many residents"),
    Thing.ALARMS: _("Alarms about tills and officers"),
    Thing.COUNTS: _("How many cards and letters there are: numbers only"),
}
ROLES: Final[dict[Role, Promise]] = {
    Role.CLERK: _("Registry clerk"),
    Role.HELPDESK: _("Telephone helpdesk"),
    Role.AUDITOR: _("Auditor"),
    Role.OPERATOR: _("Operations"),
    Role.PROTECTED_OFFICER: _("Officer for protected residents"),
}
PROTECTED: Final = _(
    "A resident under protection is opened only by clerks and helpdesks who are officers for protected residents"
    " beside, and shops and times only by such auditors."
)
RULES: Final[tuple[Promise, ...]] = (
    _(
        "Who opens a resident gives a purpose first. It is on record before anything is shown, and the resident reads"
        " it."
    ),
    _("Whoever sees names cannot see refunds, and whoever sees refunds cannot see names: no person has both roles."),
    _("A clerk opens one resident at a time, by exact number and birth date; there is no list to browse in."),
    _(
        "By exception a second officer lets somebody read of one resident what their role does not open, for four hours"
        " at most. The resident gets a message."
    ),
    _("Who opens unusually many residents, or guesses numbers, raises an alarm with the auditors."),
)
NOT_SEEN: Final[tuple[Promise, ...]] = (
    _("What you bought. A till reports amounts by tax tier, never goods; no table has a place for them."),
    _("Shops do not see who you are: what a till gets of your card is sealed anew for each purchase and ties no two."),
    _("Servers that take purchases cannot tell whose they are: they have no key that opens what the card sealed."),
    _("Servers that count purchases know a random reference, and no name or number: they have no key of the vault."),
    _("Your individual number is sealed in the vault and goes into no purchase, no refund and no card."),
    _("What you bought without your card."),
    _("Where you were at other times than those of your purchases: nothing else is reported."),
    _("Shops and times of your purchases, once the year's retention date is over: they are erased, archives included."),
)
