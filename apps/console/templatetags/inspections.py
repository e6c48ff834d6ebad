"""How auditors' pages write shares and seeds."""

from django import template

register = template.Library()


@register.filter
def permille(share: int) -> str:
    """Thousandths as percent: 994 is 99.4%."""
    return f"{'-' if share < 0 else ''}{abs(share) // 10:,}.{abs(share) % 10}%"


@register.filter
def bp(share: int) -> str:
    """Hundredths of a percent as percent: 900 is 9.00%."""
    return f"{share // 100}.{share % 100:02}%"


@register.filter(name="hex")
def as_hex(value: bytes) -> str:
    """Bytes as hexadecimal digits."""
    return bytes(value).hex()
