"""The kinds of messages that residents get in the portal, each with its words. Pure."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# `%(…)s` are filled from the message's detail.
KINDS: Final[Mapping[str, Promise]] = {
    "account_changed": _("The account for your refund was changed."),
    "account_reviewed": _("A clerk compared the name on your account with the register."),
    "card_suspended": _("Your card was suspended."),
    "dispute_received": _("Your dispute %(number)s was received."),
    "dispute_asked": _("The refund office asks you something about your dispute %(number)s."),
    "dispute_decided": _("Your dispute %(number)s is decided."),
    "proxy_named": _(
        "Somebody may act for you from now on. If you did not want that, end it at once on the page “Who acts for you”."
    ),
    "proxy_accepted": _("A resident named you: you may act for them from now on."),
    "proxy_used": _("Somebody who may act for you did so today. What they opened stands in “Who looked at my data”."),
    "proxy_ended": _("Somebody who could act for you can do so no more."),
    "acting_ended": _("You can act no more for a resident who had named you."),
    "household_consent": _("It was changed whether the others of your household see what you spend and get back."),
}
