"""Passwords that whoever knows this place tries first (NIST SP 800-63B, 5.1.1.2: context-specific words)."""

import unicodedata
from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

WORDS: Final = (
    "kanpu", "kampu", "refund", "shouhizei", "shohizei", "zeikin", "zeimu", "mynumber",
    "かんぷ", "カンプ", "還付", "消費税", "軽減税", "税金", "税務", "国税", "マイナンバー",
)  # fmt: skip


class PlaceWordsValidator:
    """No password with a word of this place in it, however wide or tall its letters are."""

    def validate(self, password: str, user: User | None = None) -> None:  # noqa: ARG002 - Django's signature
        """Raises ValidationError."""
        plain = unicodedata.normalize("NFKC", password).casefold()
        if word := next((word for word in WORDS if word in plain), None):
            raise ValidationError(
                _("Leave out “%(word)s”: words of this place are tried first."), "password_place", {"word": word}
            )

    def get_help_text(self) -> str:
        """Beside the field."""
        return _("Your password must not contain words of this place, such as “kanpu” or “refund”.")
