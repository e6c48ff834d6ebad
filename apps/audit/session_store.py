"""Where sessions are kept: Django's table, read by a statement that is prepared once, as every page reads one."""

from functools import cache

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db.models import DateTimeField, TextField
from django.utils import timezone

from apps.kernel.database import Ask, Place, Statement, from_rows, sql_of, trip


class SessionStore(db.SessionStore):
    """Django's in all else."""

    def _get_session_from_db(self) -> Session | None:
        (rows,) = trip(Ask(_session(), (self.session_key, timezone.now().isoformat())))
        if not rows:
            self._session_key = None
        return next(iter(from_rows(Session, rows)), None)


@cache
def _session() -> Statement:
    key, now = Place(1, TextField()), Place(2, DateTimeField())
    return Statement(sql_of(Session.objects.filter(session_key=key, expire_date__gt=now)))
