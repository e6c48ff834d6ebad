"""Schemes as immutable, hashed versions with their dated rates, and the tax years that run under them."""

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.schemes.document import Scheme
from apps.schemes.reading import read_scheme


class SchemeVersion(models.Model):
    """One loaded scheme file. Never changed: another content is another version."""

    code = models.CharField(_("code"), max_length=32)
    version = models.PositiveSmallIntegerField(_("version"))
    sha256 = models.CharField("SHA-256", max_length=64, unique=True)
    document = models.JSONField(_("document"))
    loaded_at = models.DateTimeField(_("loaded at"))

    class Meta:
        verbose_name = _("scheme version")
        verbose_name_plural = _("scheme versions")
        constraints = [models.UniqueConstraint(fields=["code", "version"], name="scheme_version_once")]
        triggers = [pgtrigger.Protect(name="immutable", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.code} v{self.version}"

    def scheme(self) -> Scheme:
        """The validated content."""
        return read_scheme(self.document)


# From its first day on a tier has a rate every day, and something is collected on each of them.
NO_DAY_WITHOUT_RATE = """
    SELECT range_agg(valid) INTO days FROM schemes_datedrate
    WHERE (scheme_version_id, tier, own_collected) = (NEW.scheme_version_id, NEW.tier, NEW.own_collected);
    IF days <> datemultirange(daterange(lower(days), NULL)) THEN
        RAISE EXCEPTION 'rates of tier "%" leave days without one', NEW.tier USING ERRCODE = 'exclusion_violation';
    END IF;
    SELECT range_agg(valid) INTO collected FROM schemes_datedrate
    WHERE scheme_version_id = NEW.scheme_version_id AND (tier = '' OR (tier = NEW.tier AND own_collected));
    IF collected IS NULL OR NOT days <@ collected THEN
        RAISE EXCEPTION 'nothing is collected on days of tier "%"', NEW.tier USING ERRCODE = 'exclusion_violation';
    END IF;
    RETURN NULL;
"""


class DatedRate(models.Model):
    """A tier's rate over a period; the tier '' is the rate collected at the till, unless the tier has its own."""

    scheme_version = models.ForeignKey(SchemeVersion, on_delete=models.PROTECT, related_name="rates")
    tier = models.CharField(max_length=32, blank=True)
    own_collected = models.BooleanField(default=False, help_text="What is collected on this tier alone")
    valid = DateRangeField()
    rate = models.DecimalField(_("rate"), max_digits=7, decimal_places=6)

    class Meta:
        verbose_name = _("dated rate")
        verbose_name_plural = _("dated rates")
        constraints = [
            ExclusionConstraint(
                name="one_rate_a_day",
                expressions=[
                    ("scheme_version", RangeOperators.EQUAL),
                    ("tier", RangeOperators.EQUAL),
                    ("own_collected", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(name="rate_from_0_to_1", condition=Q(rate__gte=0, rate__lt=1)),
        ]
        triggers = [
            pgtrigger.Protect(name="immutable", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="no_day_without_rate",
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                timing=pgtrigger.Deferred,
                declare=[("days", "datemultirange"), ("collected", "datemultirange")],
                func=NO_DAY_WITHOUT_RATE,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scheme_version} {self.tier or 'collected'} {self.valid}"


class TaxYear(models.Model):
    """A year that counts, under one scheme version.

    Workers hold its row FOR SHARE while they count; who closes a run or an archive part takes it FOR UPDATE, so that
    what was counted under a number is complete once the number has moved on.
    """

    year = models.PositiveSmallIntegerField(_("year"), primary_key=True)
    scheme_version = models.ForeignKey(SchemeVersion, on_delete=models.PROTECT, verbose_name=_("scheme version"))
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    deadline_at = models.DateTimeField(_("deadline at"), help_text=_("From here on nothing more is taken."))
    open_run = models.PositiveSmallIntegerField(_("open run"), default=1)
    open_part = models.PositiveSmallIntegerField(default=1)
    erased_at = models.DateTimeField(null=True, help_text="From when on its purchases are erased")

    class Meta:
        verbose_name = _("tax year")
        verbose_name_plural = _("tax years")
        constraints = [
            models.CheckConstraint(name="year_has_days", condition=Q(starts_at__lt=F("ends_at"))),
            models.CheckConstraint(name="deadline_after_year", condition=Q(deadline_at__gte=F("ends_at"))),
            models.CheckConstraint(name="runs_and_parts_from_1", condition=Q(open_run__gte=1, open_part__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.year} ({self.scheme_version})"
