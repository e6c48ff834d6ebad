"""What tells that a process without an address of its own is at work."""

from django.db import models


class Heartbeat(models.Model):
    """When the clock's task was last done: the clock rang and a worker heard it."""

    name = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
