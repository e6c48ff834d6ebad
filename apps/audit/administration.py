"""The administration at /admin/: the site at which apps register what staff may see and change."""

from typing import Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from apps.audit.sessions import lacks_key


class KanpuAdminSite(admin.AdminSite):
    """Merchants, their keys, and schemes; accounts and everything else are no business of this site."""

    site_header = site_title = _("Kanpu administration")
    index_title = _("Merchants, software makers and schemes")

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff who showed a key."""
        return super().has_permission(request) and not lacks_key(request)

    def login(self, request: HttpRequest, _extra_context: object = None) -> HttpResponse:
        """By the one page for signing in; who signed in and showed no key goes on to that."""
        following = urlencode({"next": request.GET.get("next") or reverse("admin:index")})
        name = "office-key" if super().has_permission(request) and lacks_key(request) else "login"
        return redirect(f"{reverse(name)}?{following}")


site: Final = KanpuAdminSite(name="admin")
