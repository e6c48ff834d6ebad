"""Who acts for whom, and which members of a household let the others see something."""

from datetime import timedelta
from typing import Final

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from apps.audit.states import Remembers
from apps.residents.models.register import Resident

LONGEST: Final = timedelta(days=366)
LONGEST_OF_GUARDIANS: Final = timedelta(days=5 * 366)


class Channel(models.TextChoices):
    """How a resident asked for something."""

    PORTAL = "portal"
    WINDOW = "window"
    LETTER = "letter"


class Proxy(Remembers):
    """That a resident is acted for by another, from a time to before another: named, or as guardian (成年後見).

    Each right is given by itself. `valid` ends early when either side ends it; `shows_name`: the proxy is told whose
    pages are open. A guardian is recorded at an office, on a document whose kind and date are kept, no copy.
    """

    class Kind(models.TextChoices):
        NAMED = "named"
        GUARDIAN = "guardian"

    class Document(models.TextChoices):
        REGISTER = "register"  # 登記事項証明書, of the register of guardianships
        COURT = "court"  # 審判書 with its 確定証明書

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="proxies", db_index=False)
    proxy = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="acts_for", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.NAMED)
    may_see = models.BooleanField()
    may_dispute = models.BooleanField(default=False)
    may_pay = models.BooleanField(default=False)
    shows_name = models.BooleanField(default=False)
    valid = DateTimeRangeField()
    channel = models.CharField(max_length=6, choices=Channel.choices)
    office = models.CharField(max_length=150, blank=True)
    named_by = models.CharField(max_length=150)
    document = models.CharField(max_length=8, choices=Document.choices, blank=True)
    document_date = models.DateField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [models.Index(fields=["proxy", "resident"], name="acts_for")]
        constraints = [
            ExclusionConstraint(
                name="one_proxy_of_a_pair_at_a_time",
                expressions=[
                    ("resident", RangeOperators.EQUAL),
                    ("proxy", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(name="nobody_is_the_own_proxy", condition=~Q(resident=F("proxy"))),
            models.CheckConstraint(
                name="proxy_has_a_right", condition=Q(may_see=True) | Q(may_dispute=True) | Q(may_pay=True)
            ),
            models.CheckConstraint(
                name="proxy_for_a_time",
                condition=Q(valid__isempty=False, valid__lower_inf=False, valid__upper_inf=False)
                & (
                    Q(kind="named", valid__endswith__lte=F("valid__startswith") + LONGEST)
                    | Q(kind="guardian", valid__endswith__lte=F("valid__startswith") + LONGEST_OF_GUARDIANS)
                ),
            ),
            models.CheckConstraint(
                name="guardian_has_a_document",
                condition=Q(kind="named", document="", document_date=None)
                | Q(kind="guardian", document__in=("register", "court"), document_date__isnull=False)
                & ~Q(channel="portal"),
            ),
            models.CheckConstraint(
                name="proxy_asked_for_somewhere",
                condition=Q(channel="portal", office="") | (Q(channel__in=("window", "letter")) & ~Q(office="")),
            ),
            models.CheckConstraint(
                name="proxy_ended_by_somebody",
                condition=Q(ended_at=None, ended_by="")
                | (Q(ended_at__isnull=False, valid__endswith=F("ended_at")) & ~Q(ended_by="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.proxy_id} for {self.resident_id} {self.valid}"


class ProxyCode(models.Model):
    """That a resident wants to act for somebody: a one-time code, of which only the hash is kept."""

    proxy = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="proxy_codes", db_index=False)
    code_hash = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_live_proxy_code", fields=["proxy"], condition=Q(spent_at=None)),
            models.CheckConstraint(name="proxy_code_for_a_time", condition=Q(created_at__lt=F("expires_at"))),
        ]

    def __str__(self) -> str:
        return f"code of {self.proxy_id}"


class ProxyCodeMiss(models.Model):
    """That somebody entered a code that is nobody's: so often a day and no more. `actor`: a resident or an officer."""

    actor = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["actor", "at"], name="proxy_code_misses_of_actor")]

    def __str__(self) -> str:
        return f"{self.actor} {self.at:%Y-%m-%d %H:%M:%S}"


class ProxyDay(models.Model):
    """A day on which somebody acted for a resident, as proxy, guardian or parent: told to the resident once."""

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="+", db_index=False)
    proxy = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(name="proxy_day_once", fields=["resident", "proxy", "day"])]

    def __str__(self) -> str:
        return f"{self.proxy_id} for {self.resident_id} on {self.day}"


class HeadPaymentConsent(models.Model):
    """That an adult agrees that the refunds of the adults of a household are paid to its head, until it is taken back.

    It counts while the adult belongs to that household without a break, that resident is its head, and all other
    adults agree as well (see `paying_together`).
    """

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="head_payment_consents")
    household_ref = models.UUIDField()
    head = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="+", db_index=False)
    valid = DateTimeRangeField()
    withdrawn_by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [models.Index(fields=["household_ref"], name="head_payments_of_household")]
        constraints = [
            ExclusionConstraint(
                name="one_head_payment_consent_at_a_time",
                expressions=[("resident", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
            ),
            models.CheckConstraint(
                name="head_payment_consent_withdrawn_by_somebody",
                condition=Q(valid__isempty=False, valid__lower_inf=False)
                & (Q(valid__upper_inf=True, withdrawn_by="") | (Q(valid__upper_inf=False) & ~Q(withdrawn_by=""))),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resident_id} to {self.head_id} {self.valid}"


class HouseholdConsent(models.Model):
    """That a resident lets the others of a household see spend and refund, from a time until it is withdrawn.

    It is in force while the resident belongs to that household without a break (see `seeing.is_seen`).
    """

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="household_consents", db_index=False)
    household_ref = models.UUIDField()
    valid = DateTimeRangeField()
    channel = models.CharField(max_length=6, choices=Channel.choices)
    office = models.CharField(max_length=150, blank=True)
    given_by = models.CharField(max_length=150)
    withdrawn_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="one_household_consent_at_a_time",
                expressions=[("resident", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
            ),
            models.CheckConstraint(
                name="household_consent_from_a_time", condition=Q(valid__isempty=False, valid__lower_inf=False)
            ),
            models.CheckConstraint(
                name="household_consent_withdrawn_by_somebody",
                condition=Q(valid__upper_inf=True, withdrawn_by="") | (Q(valid__upper_inf=False) & ~Q(withdrawn_by="")),
            ),
            models.CheckConstraint(
                name="household_consent_asked_for_somewhere",
                condition=Q(channel="portal", office="") | (Q(channel__in=("window", "letter")) & ~Q(office="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resident_id} in {self.household_ref} {self.valid}"
