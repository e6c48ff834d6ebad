"""How the public page writes purposes."""

from django import template

from apps.audit import purposes

register = template.Library()


@register.filter
def counted_words(purpose: str) -> str:
    """A purpose under which accesses were counted."""
    return purposes.counted_words(purpose)
