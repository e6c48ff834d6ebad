"""For whom somebody acts, above every page, and what a proxy may do in words."""

from typing import Any

from django import template
from django.utils.translation import gettext as _

from apps.portal.queries.acting import name_for
from apps.portal.viewer import ACTING, VIEWER, Viewer
from apps.residents.acting import DISPUTE, PAYMENT, SEE
from apps.residents.notice_codes import grouped

register = template.Library()
register.filter("code_groups", grouped)


@register.inclusion_tag("portal/acting.html", takes_context=True)
def acting_banner(context: dict[str, Any]) -> dict[str, Any]:
    """The banner of who acts for somebody, nothing for everybody else, who pays no query for it."""
    request = context.get("request")
    session = getattr(request, "session", None)
    is_acting = session is not None and bool(session.get(ACTING))
    viewer: Viewer | None = request.META.get(VIEWER) if request is not None and is_acting else None
    if viewer is not None and viewer.grant is None:  # the page of one's own on which the choice is made says it itself
        is_acting = False
    grant, name = (viewer.grant, name_for(viewer)) if viewer else (None, "")
    return {"is_acting": is_acting, "grant": grant, "name": name, "csrf_token": context.get("csrf_token")}


@register.filter
def rights_words(rights: frozenset[str]) -> str:
    """What a proxy may do, in one line."""
    words = {SEE: _("see"), DISPUTE: _("answer and object"), PAYMENT: _("payment")}
    return _(", ").join(word for right, word in words.items() if right in rights)
