"""Amounts as the documents write them. Pure, no float."""

from apps.kernel.documents.render import Language

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def money_text(amount_minor: int, *, currency: str, minor_unit_digits: int, language: Language) -> str:
    """An amount for people: yen as 1,234円 or ¥1,234, other currencies by their ISO code, EUR 1,234.50."""
    sign = "−" if amount_minor < 0 else ""
    whole, part = divmod(abs(amount_minor), 10**minor_unit_digits)
    number = f"{whole:,}" + (f".{part:0{minor_unit_digits}d}" if minor_unit_digits else "")
    if currency != "JPY":
        return f"{sign}{currency}{NO_BREAK_SPACE}{number}"
    return f"{sign}{number}円" if language == "ja" else f"{sign}¥{number}"
