"""Who signs in as which resident."""

from django.conf import settings
from django.db import models


class Account(models.Model):
    """A sign-in that sees one resident's pages."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="portal_account")
    resident_ref = models.UUIDField(unique=True)

    def __str__(self) -> str:
        return str(self.user)


class Counter(models.Model):
    """Guesses and used codes: the table of Django's cache (its columns), so that all processes count together."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.cache_key
