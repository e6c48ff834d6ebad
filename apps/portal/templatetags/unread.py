"""How many messages are unread, for the navigation: `{% load unread %}{% unread_messages as unread %}`."""

from typing import Any

from django import template

from apps.portal.queries.messages import UNREAD_SHOWN, unread_of_user

register = template.Library()


@register.simple_tag(takes_context=True)
def unread_messages(context: dict[str, Any]) -> str:
    """'' for none, '1' to '99', or '99+': one query, by index; none for who is not signed in."""
    request = context.get("request")
    user = getattr(request, "user", None)
    count = unread_of_user(user) if user is not None else 0
    return f"{UNREAD_SHOWN}+" if count > UNREAD_SHOWN else str(count or "")
