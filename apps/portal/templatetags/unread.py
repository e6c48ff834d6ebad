"""How many messages are unread, for the navigation: `{% load unread %}{% unread_messages as unread %}`."""

from typing import Any

from django import template

from apps.portal.queries.messages import UNREAD_SHOWN, unread_of, unread_of_user
from apps.portal.viewer import VIEWER, Right, Viewer

register = template.Library()


@register.simple_tag(takes_context=True)
def unread_messages(context: dict[str, Any]) -> str:
    """'' for none, '1' to '99', or '99+': no query on the own pages, one on others, none for who is not signed in.

    On a page of somebody for whom the user acts they are that resident's, as far as the user may see them.
    """
    request = context.get("request")
    viewer: Viewer | None = request.META.get(VIEWER) if request is not None else None
    user = getattr(request, "user", None)
    if viewer is not None and viewer.unread is not None:
        count = viewer.unread
    elif viewer is not None:
        count = unread_of(viewer.ref) if viewer.may(Right.SEE) else 0
    else:
        count = unread_of_user(user) if user is not None else 0
    return f"{UNREAD_SHOWN}+" if count > UNREAD_SHOWN else str(count or "")
