"""Who a session's user is: Django's backend, by a statement that is prepared once, as every page asks."""

from functools import cache

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db.models import IntegerField

from apps.kernel.database import Ask, Place, Statement, from_rows, sql_of, trip


class UserStore(ModelBackend):
    """Django's in all else."""

    def get_user(self, user_id: int) -> User | None:
        """The user of a session, None for one who was put off."""
        (rows,) = trip(Ask(_user(), (user_id,)))
        return next((user for user in from_rows(User, rows) if self.user_can_authenticate(user)), None)


@cache
def _user() -> Statement:
    return Statement(sql_of(User.objects.filter(pk=Place(1, IntegerField()))))
