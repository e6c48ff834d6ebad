"""The administration of merchants: what may change is changed with an event, nothing is deleted, secrets show once."""

# ruff: noqa: ARG002 - the signatures are Django's

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.contrib import admin, messages
from django.contrib.admin import EmptyFieldListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.audit.administration import site
from apps.audit.operations import record_event
from apps.audit.states import Change, state_of
from apps.merchants.forms import ApiKeyForm, AuthorisationForm, NewTerminalForm, TerminalForm
from apps.merchants.keys import public_key_text
from apps.merchants.models import (
    ApiKey,
    ConformanceReport,
    Merchant,
    Store,
    Terminal,
    TerminalKey,
    Vendor,
    VendorAuthorisation,
)
from apps.merchants.operations import (
    Enrolling,
    Grant,
    authorise_vendor,
    create_merchant,
    enrol_terminals,
    issue_enrolment_code,
    issue_key,
    issue_vendor_key,
    record_conformance_report,
    revoke_key,
    withdraw_authorisation,
)

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline

CODES_AT_ONCE: Final = 100


class Secret(NamedTuple):
    """Something that is shown once: whose it is, and what it is."""

    owner: str
    text: str


def actor_of(request: HttpRequest) -> str:
    """Who acts, as the trail names them."""
    return f"staff:{request.user.get_username()}"


class RecordAdmin(ModelAdmin):
    """Nothing is deleted, every change is an event, and the secret of what was added is shown but never kept."""

    list_per_page = 50
    show_full_result_count = False
    entered: tuple[str, ...] = ()  # when a row is added
    shown: tuple[str, ...] = ()  # afterwards, if not the same
    unchanging: tuple[str, ...] = ()  # of these

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return (self.shown or self.entered) if obj else self.entered

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return self.unchanging if obj else ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **more: Any) -> Any:
        """Without the buttons that add and change rows beside a choice: a secret has no place in their window."""
        field = super().formfield_for_dbfield(db_field, request, **more)
        if field and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **more: Any) -> Any:
        """With one button to save."""
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **more)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write what was entered, or changed: the page is one transaction, so the event stands or falls with it."""
        if not change:
            obj.secrets = self.add(request, obj, form)
            obj.refresh_from_db()
            return
        before = {name: str(form.initial.get(name)) for name in form.changed_data}
        super().save_model(request, obj, form, change)
        after = {name: str(form.cleaned_data[name]) for name in form.changed_data}
        changed: Change = {"before": {**before}, "after": {**after}}
        self._record(request, "change", obj, {**changed}, changed)

    def add(self, request: HttpRequest, obj: Any, form: Any) -> list[Secret]:
        """Add what was entered; the secrets to show."""
        obj.save()
        self._record(request, "create", obj, {"name": str(obj)}, {"before": {}, "after": state_of(obj)})
        return []

    def _record(self, request: HttpRequest, action: str, obj: Any, detail: dict[str, object], change: Change) -> None:
        kind = obj._meta.model_name
        subject = f"{kind}:{obj.code if kind == 'terminal' else obj.pk}"
        record_event(
            at=timezone.now(), actor=actor_of(request), action=f"{kind}.{action}", subject=subject, detail=detail,
            **change,
        )  # fmt: skip

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        if obj.secrets:
            return self.show(request, obj.secrets)
        return super().response_add(request, obj, post_url_continue)

    def show(self, request: HttpRequest, secrets: list[Secret]) -> HttpResponse:
        """The page that shows secrets. It answers the request that made them, so they are stored nowhere."""
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": _("Shown once: copy it now"),
            "secrets": secrets,
        }
        return TemplateResponse(request, "admin/merchants/secrets.html", context)

    def confirm(self, request: HttpRequest, chosen: QuerySet[Any], action: str, question: Promise) -> HttpResponse:
        """The page that asks whether an action on the chosen rows is meant."""
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": question,
            "chosen": chosen,
            "action": action,
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/merchants/confirm.html", context)

    def each(self, request: HttpRequest, chosen: QuerySet[Any], done: Callable[..., object], words: Promise) -> None:
        """Do something to each of the chosen rows, and say to how many it happened."""
        now, actor = timezone.now(), actor_of(request)
        count = sum(bool(done(row, at=now, actor=actor)) for row in chosen)
        self.message_user(request, words % {"count": count}, messages.SUCCESS)


class FixedRecordAdmin(RecordAdmin):
    """What is never changed once it is there."""

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def may_change(self, request: HttpRequest) -> bool:
        """Whether the user may use actions."""
        return request.user.has_perm(f"merchants.change_{self.opts.model_name}")

    has_end_permission = may_change


@admin.register(Merchant, site=site)
class MerchantAdmin(RecordAdmin):
    """Merchants. A new one gets its first key."""

    ordering = ("name", "pk")
    list_display = ("name", "registration_number", "trade", "mode", "created_at")
    list_filter = ("mode",)
    search_fields = ("name", "registration_number")
    entered = ("name", "registration_number", "trade", "mode")
    shown = (*entered, "created_at")
    unchanging = ("mode", "created_at")

    def add(self, request: HttpRequest, obj: Merchant, form: Any) -> list[Secret]:
        merchant, key = create_merchant(**form.cleaned_data, at=timezone.now(), actor=actor_of(request))
        obj.pk = merchant.pk
        return [Secret(merchant.name, key)]


@admin.register(Store, site=site)
class StoreAdmin(RecordAdmin):
    """Stores."""

    ordering = ("name", "pk")
    list_display = ("name", "merchant")
    list_select_related = ("merchant",)
    search_fields = ("name", "merchant__name")
    autocomplete_fields = ("merchant",)
    entered = ("merchant", "name")
    unchanging = ("merchant",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("merchant")  # its name tells stores apart


class TerminalKeyInline(TabularInline):
    """The keys that a terminal has had."""

    model = TerminalKey
    extra = 0
    can_delete = False
    fields = readonly_fields = ("in_base64url", "registered_at", "superseded_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("public key"))
    def in_base64url(self, key: TerminalKey) -> str:
        return public_key_text(bytes(key.public_key))


@admin.register(Terminal, site=site)
class TerminalAdmin(RecordAdmin):
    """Terminals: enrolling one, moving it, and one-time codes for its till."""

    ordering = ("code",)
    list_display = ("code", "merchant", "store_name", "region", "sealed", "replaced_by")
    list_filter = ("merchant__mode", ("public_key", EmptyFieldListFilter), ("replaced_by", EmptyFieldListFilter))
    list_select_related = ("merchant", "store", "replaced_by")
    search_fields = ("code__startswith",)
    search_help_text = _("The beginning of the code")
    autocomplete_fields = ("merchant", "store")
    entered = ("code", "merchant", "store", "region", "latitude", "longitude", "till_key")
    shown = (*entered[:-1], "enrolled_at", "replaced_by", "replaced_at")
    unchanging = ("code", "merchant", "enrolled_at", "replaced_by", "replaced_at")
    inlines = (TerminalKeyInline,)
    actions = ("new_code",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **more: Any) -> Any:
        more["form"] = TerminalForm if obj else NewTerminalForm
        return super().get_form(request, obj, change, **more)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else ()

    @admin.display(description=_("store"), ordering="store__name")
    def store_name(self, terminal: Terminal) -> str:
        return terminal.store.name

    @admin.display(description=_("sealed"), boolean=True)
    def sealed(self, terminal: Terminal) -> bool:
        return terminal.public_key is not None

    def add(self, request: HttpRequest, obj: Terminal, form: Any) -> list[Secret]:
        enrolling, now, actor = Enrolling(obj.merchant), timezone.now(), actor_of(request)
        done = enrol_terminals(enrolling, [form.new_terminal()], at=now, actor=actor)[0]
        obj.pk = Terminal.objects.get(code=obj.code).pk
        return [Secret(obj.code, done.issued.enrolment_code)] if done.issued else []

    @admin.action(description=_("New one-time code for the till's key"), permissions=["change"])
    def new_code(self, request: HttpRequest, chosen: QuerySet[Terminal]) -> HttpResponse | None:
        """Show a new code for each of the chosen terminals."""
        terminals = list(chosen[: CODES_AT_ONCE + 1])
        if len(terminals) > CODES_AT_ONCE:
            self.message_user(request, _("Choose at most 100 terminals."), messages.ERROR)
            return None
        now, actor = timezone.now(), actor_of(request)
        codes = [issue_enrolment_code(terminal.pk, at=now, actor=actor) for terminal in terminals]
        pairs = zip(terminals, codes, strict=True)
        return self.show(request, [Secret(terminal.code, issued.enrolment_code) for terminal, issued in pairs])


@admin.register(ApiKey, site=site)
class ApiKeyAdmin(FixedRecordAdmin):
    """Keys: issued and revoked, never changed."""

    form = ApiKeyForm
    list_display = ("hint", "owner", "name", "mode", "last_used_at", "revoked_at", "expires_at", "scope_names")
    list_filter = ("mode", ("revoked_at", EmptyFieldListFilter), ("vendor", EmptyFieldListFilter))
    list_select_related = ("merchant", "vendor")
    search_fields = ("name", "hint", "merchant__name", "vendor__name")
    autocomplete_fields = ("merchant", "vendor", "stores")
    entered = ("merchant", "vendor", "mode", "name", "scopes", "stores", "expires_at")
    shown = (
        "hint", "name", "owner", "mode", "scope_names", "stores", "created_at", "expires_at", "revoked_at",
        "last_used_at",
    )  # fmt: skip
    unchanging = shown
    actions = ("revoke",)

    @admin.display(description=_("whose"))
    def owner(self, key: ApiKey) -> str:
        return str(key.merchant or key.vendor)

    @admin.display(description=_("scopes"))
    def scope_names(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    def add(self, request: HttpRequest, obj: ApiKey, form: Any) -> list[Secret]:
        data = form.cleaned_data
        grant = Grant(data["scopes"], tuple(data["stores"]), data["expires_at"])
        more: dict[str, Any] = {"name": obj.name, "grant": grant, "at": timezone.now(), "actor": actor_of(request)}
        if obj.merchant:
            issued = issue_key(obj.merchant, **more)
        else:
            issued = issue_vendor_key(data["vendor"], mode=data["mode"], **more)
        obj.pk = issued.key_id
        return [Secret(f"{self.owner(obj)}: {obj.name}", issued.key)]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The stores are set with the key."""

    @admin.action(description=_("Revoke"), permissions=["end"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> HttpResponse | None:
        """Revoke the chosen keys, once that is confirmed."""
        if "confirmed" not in request.POST:
            return self.confirm(request, chosen, "revoke", _("Revoke these keys? Requests with them fail at once."))
        self.each(request, chosen, lambda key, **more: revoke_key(key.pk, **more), _("%(count)d keys were revoked."))
        return None


@admin.register(Vendor, site=site)
class VendorAdmin(RecordAdmin):
    """Makers of till software."""

    ordering = ("name",)
    list_display = ("name", "conformance_required")
    list_filter = ("conformance_required",)
    search_fields = ("name",)
    entered = ("name", "conformance_required")


@admin.register(VendorAuthorisation, site=site)
class VendorAuthorisationAdmin(FixedRecordAdmin):
    """Who may report for whom, and until when."""

    form = AuthorisationForm
    list_display = ("vendor", "merchant", "authorised_at", "withdrawn_at")
    list_filter = (("withdrawn_at", EmptyFieldListFilter),)
    list_select_related = ("vendor", "merchant")
    search_fields = ("vendor__name", "merchant__name")
    autocomplete_fields = ("vendor", "merchant")
    entered = ("vendor", "merchant")
    shown = unchanging = (*entered, "authorised_at", "withdrawn_at")
    actions = ("withdraw",)

    def add(self, request: HttpRequest, obj: VendorAuthorisation, form: Any) -> list[Secret]:
        authorise_vendor(obj.vendor, obj.merchant, at=timezone.now(), actor=actor_of(request))
        obj.pk = VendorAuthorisation.objects.get(vendor=obj.vendor, merchant=obj.merchant, withdrawn_at=None).pk
        return []

    @admin.action(description=_("Withdraw"), permissions=["end"])
    def withdraw(self, request: HttpRequest, chosen: QuerySet[VendorAuthorisation]) -> HttpResponse | None:
        """Withdraw the chosen authorisations, once that is confirmed."""
        if "confirmed" not in request.POST:
            words = _("Withdraw these authorisations? The software maker's keys see these merchants no more.")
            return self.confirm(request, chosen, "withdraw", words)
        self.each(
            request,
            chosen,
            lambda row, **more: withdraw_authorisation(row.vendor, row.merchant, **more),
            _("%(count)d authorisations were withdrawn."),
        )
        return None


@admin.register(ConformanceReport, site=site)
class ConformanceReportAdmin(FixedRecordAdmin):
    """What the conformance kit found."""

    list_display = ("vendor", "product", "version", "accepted_at")
    list_select_related = ("vendor",)
    search_fields = ("vendor__name", "product", "version")
    autocomplete_fields = ("vendor",)
    entered = ("vendor", "product", "version", "report")
    shown = unchanging = (*entered, "sha256_in_hex", "accepted_at")

    @admin.display(description="SHA-256")
    def sha256_in_hex(self, report: ConformanceReport) -> str:
        return bytes(report.sha256).hex()

    def add(self, request: HttpRequest, obj: ConformanceReport, form: Any) -> list[Secret]:
        kept = record_conformance_report(
            obj.vendor.name, obj.product, obj.version, obj.report, at=timezone.now(), actor=actor_of(request)
        )
        obj.pk = kept.pk
        return []
