"""What a session knows of how its owner signed in: with which factors, and how long ago. Pure.

The records are those that django-allauth keeps in a session: a method ("password", "mfa", …) and a time each.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

RECORDS: Final = "account_authentication_methods"
OWNER: Final = "account_authentication_methods_user"  # whose records they are: another user's count for nothing
FACTOR: Final = "mfa"  # a passkey, a code of an authenticator program, a recovery code, or a strong identity
KEY: Final = (
    "webauthn"  # a passkey or security key: it answers to its own site only, so nobody can ask for it elsewhere
)
LIMITS: Final = "kanpu_limits"  # when it is over at the latest, and how long it may rest, both in seconds
TO_OPEN: Final = timedelta(minutes=5)
TO_SEND: Final = timedelta(minutes=20)  # a form that was opened in time may be filled in slowly


def records_of(session: Mapping[str, Any], user_id: int) -> list[dict[str, Any]]:
    """How this user signed in, in this session, the oldest first."""
    return list(session.get(RECORDS, ())) if session.get(OWNER) == str(user_id) else []


def has_second_factor(records: Iterable[Mapping[str, Any]]) -> bool:
    """Whether more than a password was given."""
    return any(record["method"] == FACTOR for record in records)


def with_key(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of a passkey or security key: what officers are asked for. A code can be typed at a page like ours."""
    return [record for record in records if record["method"] == FACTOR and record.get("type") == KEY]


def ending_of(session: Mapping[str, Any], *, at: datetime) -> datetime | None:
    """When a session is over if nothing more is asked after this moment. None if nobody signed in."""
    if LIMITS not in session:
        return None
    latest_s, rests_s = session[LIMITS]
    return min(datetime.fromtimestamp(latest_s, UTC), at + timedelta(seconds=rests_s))


def is_fresh(records: Iterable[Mapping[str, Any]], within: timedelta, *, at: datetime) -> bool:
    """Whether a factor was given within this time. Only who has given none yet is taken at the password."""
    records = list(records)
    counted = [record for record in records if record["method"] == FACTOR] or records
    return any(at - datetime.fromtimestamp(record["at"], UTC) < within for record in counted)
