"""The kinds of messages that residents get in the portal: a headline each, and a sentence with particulars. Pure.

Whoever adds a kind adds its headline here, and its address in `apps/portal/message_links.py`.
"""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# A headline alone goes into e-mail: it names nobody and no amount.
KINDS: Final[Mapping[str, Promise]] = {
    "account_changed": _("The account for your refund was changed."),
    "account_reviewed": _("A clerk compared the name on your account with the register."),
    "card_suspended": _("Your card was suspended."),
    "dispute_received": _("Your dispute was received."),
    "dispute_asked": _("The refund office asks you something about your dispute."),
    "dispute_decided": _("Your dispute is decided."),
    "own_payment": _("Your refund goes to you again, no longer to the head of your household."),
    "payment_paid": _("Your refund was paid."),
    "payment_failed": _("Your refund could not be paid."),
    "payment_returned": _("Your refund was paid, and came back."),
    "proxy_named": _(
        "Somebody may act for you from now on. If you did not want that, end it at once on the page “Who acts for you”."
    ),
    "proxy_accepted": _("A resident named you: you may act for them from now on."),
    "proxy_used": _("Somebody who may act for you did so today. What they opened stands in “Who looked at my data”."),
    "proxy_ended": _("Somebody who could act for you can do so no more."),
    "acting_ended": _("You can act no more for a resident who had named you."),
    "household_consent": _("It was changed whether the others of your household see what you spend and get back."),
    "household_payment": _("It was changed whether refunds of your household go to its head."),
    "card_ready": _("A card was made for you. A letter tells you where to fetch it."),
    "card_resumed": _("You can use your card again."),
    "contact_changed": _("The e-mail address for your messages was changed."),
    "data_taken": _("All your data was downloaded."),
    "decision_issued": _("There is a decision about your refund."),
    "glass_broken": _("An officer was let see your data beyond what their role opens, for a short time."),
    "held_purchases": _("Purchases wait until you say whether they are yours."),
    "letter_payable": _("A letter is on its way to you with which the post office pays a refund."),
    "letter_uncashed": _("A letter with which the post office pays was not used in time, or came back."),
    "letter_printed": _("A letter with a code for the portal is on its way to you."),
    "letter_returned": _("A letter to you came back."),
    "looked": _("Somebody looked at your data."),
    "purchase_questioned": _("Something is held against a purchase of yours. You can reply before it is decided."),
    "purchase_cleared": _("Nothing is held against a purchase of yours any more: it counts as before."),
    "purchase_cancelled": _("A shop took back a purchase of yours."),
    "question_answered": _("An office answered why it looked at your data."),
    "refund_lapses": _("A refund that you have not claimed will be lost."),
    "refund_ready": _("Your refund is ready."),
    "share_paid": _("A refund of your household that goes to you was paid."),
    "share_failed": _("A refund of your household that goes to you could not be paid."),
    "share_returned": _("A refund of your household that goes to you was paid, and came back."),
}
PAY_AGAIN: Final = _(
    "%(amount)s for %(year)s. Nothing is lost: the page “Payment” says why and what to do. Mostly another account is to"
    " be named; then it is paid again."
)
# Shown below the headline, in the portal only; `%(…)s` are filled from the message's detail, put into words.
MORE: Final[Mapping[str, Promise]] = {
    "decision_issued": _("It is about %(year)s. The time to appeal begins when you open it."),
    "dispute_asked": _("It is dispute %(number)s. It waits until you answer."),
    "dispute_decided": _("It is dispute %(number)s. The reasons, and how to appeal, are on its page."),
    "dispute_received": _("Its number is %(number)s."),
    "glass_broken": _("%(office)s. A second officer approved it. What was opened stands in “Who looked at my data”."),
    "household_payment": _("%(given)s of %(adults)s adults agree to it now. It holds while all do."),
    "letter_payable": _(
        "%(amount)s for %(year)s, paid until %(until)s. Bring the letter and a document that says who you are."
    ),
    "letter_uncashed": _(
        "%(amount)s for %(year)s. Nothing is lost: name an account, or another letter comes in some months."
    ),
    "letter_returned": _("Its code is void. Ask for another letter, or come to a window."),
    "looked": _("%(office)s, what for: %(purpose)s."),
    "own_payment": _("%(amount)s for %(year)s. Look on the page “Payment” whether your account is there, or name one."),
    "payment_paid": _("%(amount)s for %(year)s. Where it went stands on the page “Payment”."),
    "payment_failed": PAY_AGAIN,
    "payment_returned": PAY_AGAIN,
    "purchase_questioned": _("Your reply is read if it comes by %(until)s."),
    "purchase_cancelled": _("%(amount)s of %(month)s no longer count: the purchase was cancelled or all was returned."),
    "refund_lapses": _("%(amount)s for %(year)s can be claimed until %(until)s."),
    "refund_ready": _("For %(year)s you get %(amount)s."),
    "share_paid": _("%(amount)s for %(year)s. Where it went stands on the page “Payment”."),
    "share_failed": PAY_AGAIN,
    "share_returned": PAY_AGAIN,
    "contact_changed": _("If it was not you, change your password and tell us."),
    "letter_printed": _("If you did not ask for one, tell us."),
    "data_taken": _("If it was not you, change your password and tell us."),
}
# What those get by e-mail who want the important ones only.
IMPORTANT: Final = frozenset(
    {
        "account_changed", "account_reviewed", "card_ready", "card_resumed", "card_suspended", "contact_changed",
        "decision_issued", "dispute_asked", "dispute_decided", "glass_broken", "held_purchases", "household_payment",
        "letter_payable", "letter_printed", "letter_uncashed", "own_payment",
        "payment_failed", "payment_paid", "payment_returned", "proxy_named", "purchase_questioned", "refund_lapses",
        "refund_ready", "share_failed", "share_paid", "share_returned",
    }
)  # fmt: skip
SOMETHING: Final = _("There is something new.")


def headline(kind: str) -> str:
    """A message's headline in the reader's language; of a kind that has none any more, that something is new."""
    return str(KINDS.get(kind, SOMETHING))
