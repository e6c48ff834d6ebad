"""The vault, which alone knows who residents are, and what a municipality calls households."""

import uuid

from django.db import models
from django.db.models import Q

from apps.residents.models.register import Resident


class VaultRecord(models.Model):
    """Who a resident is: every column sealed under a key that the database does not have, or a keyed index of one.

    Emptied for good when the resident is erased. `content_mac` tells whether a row of the register says anything new.
    """

    resident = models.OneToOneField(Resident, primary_key=True, on_delete=models.PROTECT, related_name="vault")
    key_version = models.PositiveSmallIntegerField(help_text="Under which all of the row is sealed")
    index_version = models.PositiveSmallIntegerField(help_text="Under which all of its indexes are made")
    individual_number = models.BinaryField(null=True)
    individual_number_index = models.BinaryField(max_length=32, null=True, unique=True)
    resident_code = models.BinaryField(null=True)
    resident_code_index = models.BinaryField(max_length=32, null=True, unique=True)
    person = models.BinaryField(null=True, help_text="Names and birth date")
    person_index = models.BinaryField(max_length=32, null=True, db_index=True, help_text="Of name in kana, birth date")
    address = models.BinaryField(null=True)
    contact = models.BinaryField(null=True, help_text="An e-mail address for messages")
    content_mac = models.BinaryField(max_length=32, null=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="erased_means_empty",
                condition=Q(erased_at=None)
                | Q(
                    individual_number=None, individual_number_index=None, resident_code=None, resident_code_index=None,
                    person=None, person_index=None, address=None, contact=None,
                    content_mac=None,
                ),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"vault of {self.resident_id}"


class HouseholdIndex(models.Model):
    """The number that a municipality gave a household, sealed, and the keyed index that finds its reference."""

    household_ref = models.UUIDField(primary_key=True, default=uuid.uuid4)
    number = models.BinaryField(help_text="Municipality and the household's number there")
    number_index = models.BinaryField(max_length=32, unique=True)
    key_version = models.PositiveSmallIntegerField(help_text="Under which the number is sealed")
    index_version = models.PositiveSmallIntegerField()

    def __str__(self) -> str:
        return f"household {self.household_ref}"


class Photo(models.Model):
    """A picture that a resident was asked for, sealed; without metadata, and gone once what it was for is decided."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="photos")
    picture = models.BinaryField(help_text="JPEG")
    key_version = models.PositiveSmallIntegerField(help_text="Under which it is sealed")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"photo {self.pk}"
