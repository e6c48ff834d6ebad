"""What an e-mail to a resident says: that there is something new, and where. No name, no amount, no shop."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.residents.messages import headline
from apps.residents.notice_codes import grouped

HEADLINES: Final = 10


class Text(NamedTuple):
    """A mail's subject and its text."""

    subject: str
    body: str


def news(kinds: Sequence[str], *, language: str, portal: str, stop: str) -> Text:
    """The mail about messages of these kinds, the newest first; `stop` is the address that ends such mails."""
    with override(language):
        headlines = list(dict.fromkeys(headline(kind) for kind in kinds))
        lines = [
            _("There is something new in your Kanpu portal:"),
            "",
            *(f"- {line}" for line in headlines[:HEADLINES]),
            "",
            _("Sign in to read it, at %(address)s") % {"address": f"{portal}/messages"},
            _("We never ask for a password, a code or an account by e-mail."),
            "",
            _("No more such mails: %(address)s") % {"address": stop},
        ]
        return Text(_("Kanpu: there is something new"), "\n".join(lines) + "\n")


def confirmation(code: str, *, language: str, portal: str) -> Text:
    """The mail with the code that confirms an address."""
    with override(language):
        lines = [
            _("Somebody gave this address for messages of the Kanpu portal. If it was you, type this code there:"),
            "",
            f"    {grouped(code)}",
            "",
            _("The page: %(address)s") % {"address": f"{portal}/messages/e-mail"},
            _("The code is good for 24 hours. If it was not you, do nothing: no more mail comes."),
        ]
        return Text(_("Kanpu: the code for your e-mail address"), "\n".join(lines) + "\n")
