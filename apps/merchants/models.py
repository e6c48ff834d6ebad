"""Who reports purchases: merchants, their stores and terminals, makers of till software, and the keys of API calls."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from apps.merchants.keys import TERMINAL_CODE


class Mode(models.TextChoices):
    """Test merchants, cards and residents live beside the live ones and never meet them."""

    LIVE = "live", _("Live")
    TEST = "test", _("Test")


class Scope(models.TextChoices):
    """What a key may be used for."""

    REPORT = "report", _("report purchases")
    READ = "read", _("read records back")
    ENROL = "enrol", _("enrol terminals")


def _bytes_long(field: str, length_bytes: int) -> Exact:
    return Exact(Func(F(field), function="octet_length", output_field=models.IntegerField()), length_bytes)


class Merchant(models.Model):
    """A taxable person who reports purchases."""

    name = models.CharField(_("name"), max_length=200)
    registration_number = models.CharField(
        _("registration number"),
        max_length=14,
        blank=True,
        help_text=_("T and 13 digits, as on a qualified invoice (Consumption Tax Act, article 57-2)"),
        validators=[RegexValidator(r"^T[0-9]{13}\Z", _("T and 13 digits."))],
    )
    trade = models.CharField(
        _("trade"), max_length=8, blank=True, help_text=_("Code of the Japan Standard Industrial Classification")
    )
    mode = models.CharField(_("mode"), max_length=4, choices=Mode.choices, default=Mode.LIVE)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("merchant")
        verbose_name_plural = _("merchants")
        constraints = [
            models.CheckConstraint(
                name="registration_number_form",
                condition=Q(registration_number="") | Q(registration_number__regex=r"^T[0-9]{13}$"),
            ),
            models.CheckConstraint(name="merchant_mode", condition=Q(mode__in=Mode.values)),
        ]

    def __str__(self) -> str:
        return self.name


class Store(models.Model):
    """A place of business of a merchant."""

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="stores", verbose_name=_("merchant"))
    name = models.CharField(_("name"), max_length=200)

    class Meta:
        verbose_name = _("store")
        verbose_name_plural = _("stores")
        constraints = [models.UniqueConstraint(fields=["merchant", "name"], name="store_name_once")]

    def __str__(self) -> str:
        return f"{self.merchant}: {self.name}"


class Terminal(models.Model):
    """A till. Its code is unique over all merchants and modes and never used again.

    `public_key` is Ed25519, 32 bytes: with one, its batches are sealed. A replaced till has a new terminal.
    """

    code = models.CharField(
        _("code"),
        max_length=63,
        unique=True,
        validators=[
            RegexValidator(rf"^{TERMINAL_CODE.pattern}\Z", _("a-z, 0-9 and -, at most 63, not starting with -."))
        ],
    )
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, related_name="terminals", verbose_name=_("merchant")
    )
    store = models.ForeignKey(Store, on_delete=models.PROTECT, related_name="terminals", verbose_name=_("store"))
    region = models.CharField(
        _("region"),
        max_length=8,
        blank=True,
        help_text=_("Code of the prefecture (JIS X 0401) or municipality"),
        validators=[RegexValidator(r"^[0-9A-Za-z-]*\Z", _("Letters, digits and -."))],
    )
    latitude = models.DecimalField(_("latitude"), max_digits=8, decimal_places=5, null=True, blank=True)
    longitude = models.DecimalField(_("longitude"), max_digits=8, decimal_places=5, null=True, blank=True)
    enrolled_at = models.DateTimeField(_("enrolled at"))
    public_key = models.BinaryField(_("public key"), max_length=32, null=True)
    replaced_by = models.OneToOneField(
        "self", on_delete=models.PROTECT, related_name="replaces", null=True, verbose_name=_("replaced by")
    )
    replaced_at = models.DateTimeField(_("replaced at"), null=True)

    class Meta:
        verbose_name = _("terminal")
        verbose_name_plural = _("terminals")
        constraints = [
            models.CheckConstraint(name="terminal_code_form", condition=Q(code__regex=r"^[a-z0-9][a-z0-9-]{0,62}$")),
            models.CheckConstraint(
                name="place_is_whole",
                condition=Q(latitude__isnull=True, longitude__isnull=True)
                | Q(latitude__isnull=False, longitude__isnull=False)
                & Q(latitude__range=(-90, 90), longitude__range=(-180, 180)),
                violation_error_message=_("Give latitude and longitude together, in degrees."),
            ),
            models.CheckConstraint(name="public_key_is_32_bytes", condition=_bytes_long("public_key", 32)),
            models.CheckConstraint(
                name="replaced_by_another",
                condition=Q(replaced_by__isnull=True, replaced_at__isnull=True)
                | Q(replaced_by__isnull=False, replaced_at__isnull=False) & ~Q(replaced_by=F("id")),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class TerminalKey(models.Model):
    """Every key that a terminal ever sealed with, so that old seals can be checked."""

    terminal = models.ForeignKey(Terminal, on_delete=models.PROTECT, related_name="keys")
    public_key = models.BinaryField(_("public key"), max_length=32)
    registered_at = models.DateTimeField(_("registered at"))
    superseded_at = models.DateTimeField(_("superseded at"), null=True)

    class Meta:
        verbose_name = _("key of a terminal")
        verbose_name_plural = _("keys of a terminal")
        constraints = [
            models.CheckConstraint(name="old_key_is_32_bytes", condition=_bytes_long("public_key", 32)),
            models.UniqueConstraint(
                fields=["terminal"], condition=Q(superseded_at=None), name="one_key_of_a_terminal_in_force"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.terminal} from {self.registered_at:%Y-%m-%d %H:%M}"


class EnrolmentCode(models.Model):
    """A one-time code with which a till registers its own key. Only the SHA-256 is kept: the code is random."""

    terminal = models.ForeignKey(Terminal, on_delete=models.PROTECT, related_name="enrolment_codes")
    sha256 = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.terminal} until {self.expires_at:%Y-%m-%d %H:%M}"


class Vendor(models.Model):
    """A maker of till software, whose key reports for the merchants that authorised it."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    conformance_required = models.BooleanField(
        _("conformance required"),
        default=True,
        help_text=_("No live key is issued until a conformance report is on record."),
    )

    class Meta:
        verbose_name = _("software maker")
        verbose_name_plural = _("software makers")

    def __str__(self) -> str:
        return self.name


class VendorAuthorisation(models.Model):
    """A merchant's word that a vendor may report for it, until it is withdrawn."""

    vendor = models.ForeignKey(
        Vendor, on_delete=models.PROTECT, related_name="authorisations", verbose_name=_("software maker")
    )
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, related_name="authorisations", verbose_name=_("merchant")
    )
    authorised_at = models.DateTimeField(_("authorised at"))
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True)

    class Meta:
        verbose_name = _("authorisation")
        verbose_name_plural = _("authorisations")
        constraints = [
            models.UniqueConstraint(
                fields=["vendor", "merchant"], condition=Q(withdrawn_at=None), name="authorised_once_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.vendor} – {self.merchant}"


class ConformanceReport(models.Model):
    """What the conformance kit found about a version of a vendor's product."""

    vendor = models.ForeignKey(
        Vendor, on_delete=models.PROTECT, related_name="conformance_reports", verbose_name=_("software maker")
    )
    product = models.CharField(_("product"), max_length=100)
    version = models.CharField(_("version"), max_length=100)
    report = models.TextField(_("report"))
    sha256 = models.BinaryField(max_length=32)
    accepted_at = models.DateTimeField(_("accepted at"))

    class Meta:
        verbose_name = _("conformance report")
        verbose_name_plural = _("conformance reports")
        constraints = [models.UniqueConstraint(fields=["vendor", "sha256"], name="conformance_report_once")]

    def __str__(self) -> str:
        return f"{self.vendor} {self.product} {self.version}"


class ApiKey(models.Model):
    """A key of a merchant or of a vendor. It is shown once; only its SHA-256 is kept (it is random, so no salt).

    With `stores`, it sees the terminals of these stores only. `last_used_at` may be a minute late.
    """

    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, related_name="keys", null=True, blank=True, verbose_name=_("merchant")
    )
    vendor = models.ForeignKey(
        Vendor, on_delete=models.PROTECT, related_name="keys", null=True, blank=True, verbose_name=_("software maker")
    )
    mode = models.CharField(_("mode"), max_length=4, choices=Mode.choices)
    name = models.CharField(_("name"), max_length=100)
    scopes = ArrayField(models.CharField(max_length=6, choices=Scope.choices), verbose_name=_("scopes"))
    stores = models.ManyToManyField(
        Store,
        related_name="keys",
        blank=True,
        verbose_name=_("stores"),
        help_text=_("The key sees only these stores; all, if none is chosen."),
    )
    sha256 = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(_("hint"), max_length=16, help_text=_("The key's first characters, to tell keys apart"))
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [
            models.CheckConstraint(
                name="key_of_merchant_or_vendor",
                condition=Q(merchant__isnull=True) ^ Q(vendor__isnull=True),
                violation_error_message=_("A key is of a merchant or of a software maker, one of them."),
            ),
            models.CheckConstraint(name="key_mode", condition=Q(mode__in=Mode.values)),
            models.CheckConstraint(name="key_scopes", condition=Q(scopes__contained_by=Scope.values) & ~Q(scopes=[])),
        ]

    def __str__(self) -> str:
        return f"{self.merchant or self.vendor} {self.name} ({self.hint}…)"
