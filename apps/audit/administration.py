"""The administration at /admin/: the site at which apps register what staff may see and change."""

from typing import Final

from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class KanpuAdminSite(admin.AdminSite):
    """Merchants, their keys, and schemes; accounts and everything else are no business of this site."""

    site_header = site_title = _("Kanpu administration")
    index_title = _("Merchants, software makers and schemes")


site: Final = KanpuAdminSite(name="admin")
