"""Who reports purchases: merchants, their stores and terminals, and the keys of their API calls."""

from django.db import models
from django.db.models import Q


class Mode(models.TextChoices):
    """Test merchants, cards and residents live beside the live ones and never meet them."""

    LIVE = "live"
    TEST = "test"


class Merchant(models.Model):
    """A taxable person who reports purchases."""

    name = models.CharField(max_length=200)
    registration_number = models.CharField(
        max_length=14, blank=True, help_text="T and 13 digits, as on a qualified invoice (消費税法 57条の2)"
    )
    trade = models.CharField(max_length=8, blank=True, help_text="Code of the trade (日本標準産業分類)")
    mode = models.CharField(max_length=4, choices=Mode.choices, default=Mode.LIVE)
    created_at = models.DateTimeField()

    class Meta:
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

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="stores")
    name = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["merchant", "name"], name="store_name_once")]

    def __str__(self) -> str:
        return self.name


class Terminal(models.Model):
    """A till. Its code is unique over all merchants and modes and never used again."""

    code = models.CharField(max_length=63, unique=True)
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="terminals")
    store = models.ForeignKey(Store, on_delete=models.PROTECT, related_name="terminals")
    region = models.CharField(max_length=8, blank=True, help_text="Prefecture (JIS X 0401) or municipality code")
    latitude = models.DecimalField(max_digits=8, decimal_places=5, null=True)
    longitude = models.DecimalField(max_digits=8, decimal_places=5, null=True)
    enrolled_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="terminal_code_form", condition=Q(code__regex=r"^[a-z0-9][a-z0-9-]{0,62}$")),
            models.CheckConstraint(
                name="place_is_whole",
                condition=Q(latitude__isnull=True, longitude__isnull=True)
                | Q(latitude__range=(-90, 90), longitude__range=(-180, 180)),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class ApiKey(models.Model):
    """A merchant's key. The key itself is shown once; only its SHA-256 is kept (it is random, so no salt)."""

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="keys")
    name = models.CharField(max_length=100)
    sha256 = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=16, help_text="The key's first characters, to tell keys apart")
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.merchant} {self.name} ({self.hint}…)"
