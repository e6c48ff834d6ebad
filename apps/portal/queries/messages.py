"""The resident's messages, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.core.paginator import Page, Paginator
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from apps.audit.purposes import purpose_words
from apps.kernel.database import Ask, Statement, trip
from apps.portal.message_links import link_of
from apps.portal.models import Account
from apps.portal.queries.accesses import OWN_ACCESS
from apps.portal.wording import ROLES
from apps.refunds.templatetags.kanpu import money
from apps.residents.messages import MORE, headline
from apps.residents.models import Mailing, Message
from apps.residents.queries.vault import read_vault
from apps.schemes.document import Scheme
from apps.schemes.queries import scheme_of, started_years

MESSAGES_A_PAGE: Final = 30
UNREAD_SHOWN: Final = 99  # more are counted as one more
UNREAD: Final = Statement(f"""
SELECT count(*) FROM (
    SELECT FROM residents_message WHERE resident_ref = $1 AND read_at IS NULL LIMIT {UNREAD_SHOWN + 1}) unread
""")  # noqa: S608 - a number of our own


@dataclass(frozen=True, slots=True)
class Told:
    """A message: its headline, a sentence with particulars or '', and the address that it leads to or ''."""

    at: datetime
    is_unread: bool
    headline: str
    more: str
    address: str


@dataclass(frozen=True, slots=True)
class MessagesPage:
    """A page of messages, the newest first; `newest` is the number of the newest unread one of all."""

    page: "Page[Message]"
    rows: tuple[Told, ...]
    unread: int
    newest: int


@dataclass(frozen=True, slots=True)
class MailPage:
    """Whether messages come by e-mail, and to which address."""

    mailing: Mailing | None
    address: str

    @property
    def is_waiting(self) -> bool:
        """Whether the address is yet to be confirmed."""
        return self.mailing is not None and self.mailing.confirmed_at is None


def own_messages(ref: UUID, *, page: str | None) -> MessagesPage:
    """The resident's messages: five queries, four without any."""
    found = Message.objects.filter(resident_ref=ref)
    shown = Paginator(found.order_by("-at", "-pk"), MESSAGES_A_PAGE).get_page(page)
    schemes = {year.year: scheme_of(year.scheme_version_id) for year in started_years()}
    newest = found.filter(read_at=None).order_by("-pk").values_list("pk", flat=True).first() or 0
    return MessagesPage(shown, tuple(_told(row, schemes) for row in shown), unread_of(ref), newest)


def unread_of(ref: UUID) -> int:
    """How many messages were not read, at most UNREAD_SHOWN and one more: one query, by index."""
    (((count,),),) = trip(Ask(UNREAD, (str(ref),)))
    return int(count)


def unread_of_user(user: User | AnonymousUser) -> int:
    """The same for who is signed in, 0 for who is no resident: one query."""
    if not user.is_authenticated:
        return 0
    mine = Account.objects.filter(user=user).values("resident_ref")
    return Message.objects.filter(resident_ref__in=mine, read_at=None)[: UNREAD_SHOWN + 1].count()


def own_mail(ref: UUID) -> MailPage:
    """Where the resident's e-mail goes; that the address was opened is on record. Raises what `read_vault` raises."""
    mailing = Mailing.objects.filter(pk=ref).first()
    if mailing is None:
        return MailPage(None, "")
    identity = read_vault([ref], ["contact"], access=OWN_ACCESS, at=timezone.now()).get(ref)
    return MailPage(mailing, (identity.contact if identity else None) or "")


def _told(message: Message, schemes: Mapping[int, Scheme]) -> Told:
    link = link_of(message.kind, message.detail)
    values = _values(message.detail, schemes)
    return Told(
        message.at,
        message.read_at is None,
        headline(message.kind),
        _filled(str(MORE.get(message.kind, "")), values),
        reverse(link[0], args=link[1]) if link else "",
    )


def _filled(words: str, values: Mapping[str, str]) -> str:
    """The words with their particulars; without any where one is missing."""
    try:
        return words % values if "%(" in words else words
    except KeyError:
        return ""


def _values(detail: Mapping[str, Any], schemes: Mapping[int, Scheme]) -> dict[str, str]:
    """A message's particulars as its words name them, in the reader's language."""
    found = {key: str(value) for key, value in detail.items()}
    year = detail.get("year", 0)
    if "amount_minor" in detail and year in schemes:
        found["amount"] = money(detail["amount_minor"], schemes[year])
    if "month" in detail and year:
        found["month"] = date_format(date(year, detail["month"], 1), "YEAR_MONTH_FORMAT")
    if "until" in detail:
        found["until"] = date_format(date.fromisoformat(detail["until"]), "DATE_FORMAT")
    if "role" in detail:
        found["office"] = detail.get("office") or str(ROLES.get(detail["role"], detail["role"]))
    if "purpose" in detail:
        found["purpose"] = purpose_words(detail["purpose"])
    return found
