"""Schemes and tax years in the administration: to be read. They are loaded and started by commands."""

# ruff: noqa: ARG002 - the signatures are Django's

import json
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from apps.audit.administration import site
from apps.schemes.models import DatedRate, SchemeVersion, TaxYear

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline


class ReadOnly:
    """Nothing is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class DatedRateInline(ReadOnly, TabularInline):
    """The rates of a scheme version, by tier and day."""

    model = DatedRate
    extra = 0
    ordering = ("tier", "own_collected", "valid")
    fields = readonly_fields = ("what", "name_ja", "name_en", "from_date", "until_date", "percent")

    @admin.display(description=_("rate of"))
    def what(self, rate: DatedRate) -> str:
        if not rate.tier:
            return str(_("collected at the till"))
        return str(_("%(tier)s: collected at the till") % {"tier": rate.tier}) if rate.own_collected else rate.tier

    @admin.display(description=_("name in Japanese"))
    def name_ja(self, rate: DatedRate) -> str:
        return _name(rate, "ja")

    @admin.display(description=_("name in English"))
    def name_en(self, rate: DatedRate) -> str:
        return _name(rate, "en")

    @admin.display(description=_("from"))
    def from_date(self, rate: DatedRate) -> Any:
        return rate.valid.lower

    @admin.display(description=_("before"))
    def until_date(self, rate: DatedRate) -> Any:
        return rate.valid.upper or "—"

    @admin.display(description=_("rate"))
    def percent(self, rate: DatedRate) -> str:
        return f"{(rate.rate * 100).normalize():f} %"


def _name(rate: DatedRate, language: str) -> str:
    tiers = rate.scheme_version.document["tiers"]
    return next((str(tier["name"][language]) for tier in tiers if tier["code"] == rate.tier), "")


@admin.register(SchemeVersion, site=site)
class SchemeVersionAdmin(ReadOnly, ModelAdmin):
    """Loaded scheme files."""

    list_display = ("__str__", "years", "name_ja", "name_en", "loaded_at")
    search_fields = ("code", "sha256__startswith")
    ordering = ("code", "-version")
    shown = ("code", "version", "name_ja", "name_en", "source_ja", "source_en", "years", "loaded_at", "sha256")
    fieldsets = ((None, {"fields": shown}), (_("document"), {"fields": ("content",), "classes": ("collapse",)}))
    readonly_fields = (*shown, "content")
    inlines = (DatedRateInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        years = Prefetch("taxyear_set", TaxYear.objects.order_by("year"))
        return super().get_queryset(request).prefetch_related(years)

    @admin.display(description=_("name in Japanese"))
    def name_ja(self, version: SchemeVersion) -> str:
        return str(version.document["name"]["ja"])

    @admin.display(description=_("name in English"))
    def name_en(self, version: SchemeVersion) -> str:
        return str(version.document["name"]["en"])

    @admin.display(description=_("source in Japanese"))
    def source_ja(self, version: SchemeVersion) -> str:
        return str(version.document["reference"]["ja"])

    @admin.display(description=_("source in English"))
    def source_en(self, version: SchemeVersion) -> str:
        return str(version.document["reference"]["en"])

    @admin.display(description=_("tax years"))
    def years(self, version: Any) -> str:
        return ", ".join(str(year.year) for year in version.taxyear_set.all())

    @admin.display(description=_("document"))
    def content(self, version: SchemeVersion) -> str:
        return format_html("<pre>{}</pre>", json.dumps(version.document, ensure_ascii=False, indent=2))


@admin.register(TaxYear, site=site)
class TaxYearAdmin(ReadOnly, ModelAdmin):
    """The years that were started."""

    list_display = ("year", "scheme_version", "deadline_at", "open_run")
    list_select_related = ("scheme_version",)
    ordering = ("-year",)
    fields = readonly_fields = ("year", "scheme_version", "starts_at", "ends_at", "deadline_at", "open_run")
