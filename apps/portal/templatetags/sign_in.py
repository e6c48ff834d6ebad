"""How codes are written out to be copied by hand."""

from django import template

register = template.Library()


@register.filter
def in_groups(code: str) -> list[str]:
    """The code in groups of four."""
    return [code[at : at + 4] for at in range(0, len(code), 4)]
