"""What is in the register and in the trail, in the reader's words."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

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
    Role.AUDITOR: _("Auditor"),
    Role.CLERK: _("Registry clerk"),
    Role.HELPDESK: _("Telephone helpdesk"),
    Role.OPERATOR: _("Operations"),
    Role.PROTECTED_OFFICER: _("Officer for protected residents"),
    "system": _("The system itself"),
}
PURPOSES: Final[dict[str, Promise]] = {
    "own page": _("To show it to you"),
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
    "refused: protected": _("nothing: you are protected, so it was refused"),
    "refund": _("refund"),
    "replay": _("refund, computed again"),
    "statement": _("statement"),
    "decision": _("decision"),
    "letter": _("letter of a decision"),
}
