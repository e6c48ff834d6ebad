"""What is in the register and in the trail, in the reader's words."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accruals.searching import Standing
from apps.audit.officers import Role

EVENTS: Final[dict[str, Promise]] = {
    "register": _("Entered in the register"),
    "birth": _("Birth"),
    "move_in": _("Moved in"),
    "move_out": _("Moved out"),
    "death": _("Death"),
    "number": _("Individual number changed"),
    "code": _("Resident code changed"),
    "name": _("Name changed"),
    "address": _("Address changed"),
    "household": _("Household changed"),
    "marriage": _("Marriage"),
    "divorce": _("Divorce"),
    "attribute": _("Details for refunds changed"),
    "protection": _("Protection began or ended"),
    "correction": _("Entry corrected"),
    "erasure": _("Personal data erased"),
}
ROLES: Final[dict[str, Promise]] = {
    "resident": _("You, or who had your letter"),
    "proxy": _("Somebody who acts for you"),
    "namer": _("A resident for whom you act, or who named you"),
    "household": _("A member of your household"),
    Role.AUDITOR: _("Auditor"),
    Role.CLERK: _("Registry clerk"),
    Role.HELPDESK: _("Telephone helpdesk"),
    Role.OPERATOR: _("Operations"),
    Role.PROTECTED_OFFICER: _("Officer for protected residents"),
    "system": _("The system itself"),
}
PURPOSES: Final[dict[str, Promise]] = {
    "own page": _("To show it to you"),
    "acting": _("To act for you"),
    "naming": _("To see who acts for them"),
    "household page": _("To show what you let the household see"),
    "activation": _("To check a letter's code with the birth date"),
    "card notices": _("To print the letter about your card"),
    "decision letters": _("To print the letter of a decision"),
    "e-mail": _("To send you an e-mail"),
}
COLUMNS: Final[dict[str, Promise]] = {
    "individual_number": _("individual number"),
    "resident_code": _("resident code"),
    "person": _("names and birth date"),
    "address": _("address"),
    "account": _("bank account"),
    "contact": _("e-mail address"),
}
OPENED: Final[dict[str, Promise]] = {
    "page:cards": _("cards"),
    "page:letters": _("letters"),
    "page:choices": _("whether purchases are recorded"),
    "page:household": _("household"),
    "page:purchases": _("purchases"),
    "page:acting": _("who acts for you, and what the household sees"),
    "refused: protected": _("nothing: you are protected, so it was refused"),
    "refund": _("refund"),
    "replay": _("refund, computed again"),
    "search": _("a search among many residents"),
    "export": _("a table of many residents"),
    "purchase": _("a purchase"),
    "totals": _("totals of a year"),
    "statement": _("statement"),
    "decision": _("decision"),
    "letter": _("letter of a decision"),
    "dispute": _("dispute"),
    "dispute-photo": _("photo of a dispute"),
    "dispute-letter": _("letter of a dispute"),
    "case-purchase": _("purchase, in the case"),
    "case-purchases": _("purchases, in the case"),
}
STANDINGS: Final[dict[str, Promise]] = {
    Standing.COUNTED: _("Counted"),
    Standing.CORRECTED: _("Corrected"),
    Standing.HELD: _("Held: is it yours?"),
    Standing.WAITING: _("Waiting for an office"),
    Standing.REJECTED: _("Not counted"),
}
# Why a purchase does not count, by the protocol's code.
WHY_NOT: Final[dict[str, Promise]] = {
    "card_suspended": _(
        "It was bought with your card while it was reported lost. It counts only if you say that it is yours."
    ),
    "card_replaced": _(
        "It was bought with your old card after another took its place. It counts only if you say that it is yours."
    ),
    "card_cloned": _(
        "The same use of your card came twice, as when a card was copied. An office looks into it: you need do nothing."
    ),
    "card_not_valid": _("The card was not valid on that day, or you were not resident."),
    "denied": _("You said that it is not yours."),
    "annulled": _("It was annulled after a check. The reasons, and how to appeal, are in the decision."),
    "confirmed": _(
        "You said that it is yours. It still does not count: the card was not valid on that day, or this use of it"
        " counted before."
    ),
}
WHY_NOT_OTHERWISE: Final = _("The card could not be checked.")
# What happened to a purchase: by kind, of a return or not, refused or not.
STEPS: Final[dict[tuple[str, bool, bool], Promise]] = {
    ("sale", False, False): _("Bought"),
    ("return", False, False): _("Goods were returned"),
    ("return", False, True): _("A return was refused: it does not fit what was left"),
    ("return", True, False): _("Goods were returned"),
    ("return", True, True): _("A return was refused: it does not fit what was left"),
    ("void", False, False): _("The shop cancelled the purchase"),
    ("void", False, True): _("The shop cancelled it again, which changes nothing"),
    ("void", True, False): _("The shop cancelled a return"),
    ("void", True, True): _("A cancellation of a return came too late"),
    ("correction", False, False): _("The shop corrected the purchase to this"),
    ("correction", False, True): _("A correction by the shop was refused"),
    ("correction", True, False): _("The shop corrected a return to this"),
    ("correction", True, True): _("A correction of a return was refused"),
    ("hold", False, False): _("No longer counted: held"),
    ("reject", False, False): _("No longer counted"),
    ("release", False, False): _("Counted again"),
    ("confirm", False, False): _("You said that it is yours: it counts"),
    ("deny", False, False): _("You said that it is not yours: it does not count"),
    ("annul", False, False): _("Annulled after a check: it does not count"),
    ("amend", False, False): _("The refund office changed the amounts by tier to these"),
    ("withdraw", False, False): _("You withdrew it"),
}
PORTAL: Final = "portal:"  # what somebody opened who acts for the resident, by the name of its address
PAGES: Final[dict[str, Promise]] = {
    "year": _("refund and purchases of a year"),
    "my-purchases": _("purchases"),
    "my-purchase": _("purchase"),
    "purchase-answer": _("answer about a held purchase"),
    "my-held": _("held purchases"),
    "withdraw": _("withdrawal of a purchase"),
    "claim-code": _("claim of a purchase by a code"),
    "dispute-new": _("dispute"),
    "dispute-missing": _("report of a missing purchase"),
    "my-disputes": _("disputes"),
    "my-dispute": _("dispute"),
    "dispute-answer": _("answer to a dispute's question"),
    "dispute-withdraw": _("withdrawal of a dispute"),
    "dispute-appeal": _("appeal"),
    "dispute-letter": _("letter of a dispute"),
    "my-hearing": _("what is held against a purchase"),
    "hearing-reply": _("reply to what is held against a purchase"),
    "my-payment": _("account and payments"),
    "payment-undo": _("change of the account"),
    "payment-public": _("consent to the public account"),
    "payment-public-withdraw": _("consent to the public account"),
    "payment-change": _("change of the account"),
    "payment-branch": _("change of the account"),
    "payment-account": _("change of the account"),
    "payment-post-bank": _("change of the account"),
    "my-messages": _("messages"),
    "my-statements": _("statements"),
    "my-statement": _("statement"),
    "my-json": _("statement"),
    "my-pdf": _("statement"),
    "my-decisions": _("decisions"),
    "my-decision": _("decision"),
    "my-letter": _("letter of a decision"),
    "my-appeal": _("appeal"),
    "my-cards": _("cards"),
    "my-accesses": _("who looked at your data"),
}
