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
}
