"""Where sessions are kept: Django's table, read by a statement that is prepared once, as every page reads one.

A session of who signed in is over when nothing was asked for a while, or half a day after the sign-in: its row says the
earlier. Each page moves that on, by a statement of its own that writes no more than this, and at most once a minute.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session
from django.db.models import TextField
from django.utils import timezone

from apps.audit.strength import LIMITS, ending_of
from apps.kernel.database import Ask, Place, Statement, from_rows, sql_of, trip

STEP: Final = timedelta(minutes=1)
STAFF_RESTS: Final = timedelta(minutes=30)
RESIDENTS_REST: Final = timedelta(hours=1)


class SessionStore(db.SessionStore):
    """Django's in all else. `has_ended` if it was somebody's and is over."""

    has_ended = False

    def load(self) -> dict[str, Any]:
        """What is in the session; nothing in one that is over."""
        (rows,) = trip(Ask(_session(), (self.session_key,)))
        session, now = next(iter(from_rows(Session, rows)), None), timezone.now()
        data: dict[str, Any] = self.decode(session.session_data) if session else {}
        if session is None or session.expire_date <= now:
            self._session_key = None
            self.has_ended = SESSION_KEY in data
            return {}
        _go_on(session, data, now)
        return data

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        """The row, with its own end."""
        session = super().create_model_instance(data)
        session.expire_date = ending_of(data, at=timezone.now()) or session.expire_date
        return session


def begin(session: SessionBase, *, rests: timedelta, at: datetime) -> None:
    """Somebody signed in: it is over half a day later, or after a rest of this length."""
    session[LIMITS] = [at.timestamp() + settings.SESSION_COOKIE_AGE, rests.total_seconds()]


def _go_on(session: Session, data: Mapping[str, Any], now: datetime) -> None:
    ends = ending_of(data, at=now)
    if ends and ends - session.expire_date > STEP:
        Session.objects.filter(pk=session.pk).update(expire_date=ends)


@cache
def _session() -> Statement:
    return Statement(sql_of(Session.objects.filter(session_key=Place(1, TextField()))))
