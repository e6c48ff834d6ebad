"""The kinds of messages that residents get in the portal, each with its words. Pure."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# `%(…)s` are filled from the message's detail.
KINDS: Final[Mapping[str, Promise]] = {
    "card_suspended": _("Your card was suspended."),
}
