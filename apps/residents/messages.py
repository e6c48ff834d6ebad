"""The kinds of messages that residents get in the portal, each with its words. Pure."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# `%(…)s` are filled from the message's detail.
KINDS: Final[Mapping[str, Promise]] = {
    "account_changed": _("Where your refund is paid was changed, or is to change. If it was not you: look at Payment."),
    "account_reviewed": _("The name of your account's holder was compared with the register. See Payment."),
    "card_suspended": _("Your card was suspended."),
}
