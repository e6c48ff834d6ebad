"""Everything that the system holds of a resident, table by table, each row in a fixed order.

To add a table is one line in TABLES; what is left out is in EXCEPTIONS, with the reason. A test holds both against the
tables that there are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db.models import Model, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accruals.models import CardCounter, ClaimAttempt, Dispute, Entry, Total, Withheld
from apps.audit.models import AccessRecord, BreakGlass, Event, NoticeDelay
from apps.audit.queries.delays import glass_told_later, told_later, told_later_of
from apps.inspections.models import Annulment
from apps.merchants.queries import store_names
from apps.payouts.models import Obligation, PayableLetter
from apps.portal.models import Account
from apps.purchases.rulings import OFFICE
from apps.refunds.models import Decision, LapseWarning, Member, Refund, Settlement
from apps.residents.models import (
    AccessQuestion,
    Attribute,
    Card,
    CardOrder,
    CardSuspension,
    EarlierResidence,
    HandOver,
    HeadPaymentConsent,
    HouseholdConsent,
    Mailing,
    Membership,
    Message,
    Notice,
    PaymentAccount,
    Proxy,
    ProxyCode,
    ProxyDay,
    RecordingPause,
    RegisterEvent,
    Resident,
)

ROWS_AT_ONCE: Final = 1_000
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the resident's: the files' name, the column that says whose, the order, and what it is in words.

    `columns` are all of the model's but `without`, unless they are named. `added` gives some rows further columns.
    `told` says which rows the resident may know of at a time, where that is not all.
    """

    name: str
    model: type[Model]
    whose: str
    order: tuple[str, ...]
    words: Promise
    without: frozenset[str] = frozenset()
    named: tuple[str, ...] = ()
    added: Callable[[list[Row]], None] | None = None
    added_columns: tuple[str, ...] = ()
    told: Callable[[datetime], Q] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names in the files."""
        fields = [f.attname for f in self.model._meta.concrete_fields]
        return self.named or tuple(name for name in fields if name not in self.without)


def shops(rows: list[Row]) -> None:
    """Where each purchase was made."""
    terminals = {_terminal(row) for row in rows}
    names = store_names(terminals)
    for row in rows:
        shop = names.get(_terminal(row))
        row["shop"], row["branch"] = (shop.merchant, shop.store) if shop else ("", "")


def decided_only(rows: list[Row]) -> None:
    """What one officer proposes is no decision yet: another may not approve it."""
    for row in rows:
        if row["decided_at"] is None:
            row |= {"outcome": "", "reasons": "", "decided_amounts": {}}


def approved_only(rows: list[Row]) -> None:
    """The same of what one auditor proposes."""
    for row in rows:
        if row["decided_at"] is None:
            row |= {"reasons": "", "state": "heard" if row["state"] == "proposed" else row["state"]}


def _terminal(row: Row) -> int:
    """A record's till, or for what the refund office ruled that of its sale."""
    ruled = row["terminal_id"] == OFFICE and row.get("of_terminal_id") is not None
    return int(row["of_terminal_id"] if ruled else row["terminal_id"])


SIGNED_IN: Final = "user__portal_account__resident_ref"
REF: Final = frozenset({"resident_ref", "resident_id"})
SHOP: Final = ("shop", "branch")
TABLES: Final = (
    Table("residence", Resident, "ref", ("ref",), _("Your time of residence, municipality, language")),
    Table("earlier_residence", EarlierResidence, "resident", ("valid",), _("Earlier times of residence"), REF | {"id"}),
    Table("register_changes", RegisterEvent, "resident", ("recorded_at", "pk"),
          _("What the register reported of you: kinds of changes and days"), REF | {"id", "actor"}),
    Table("households", Membership, "resident", ("valid",),
          _("Households to which you belonged"), REF | {"id", "payee_id"}),
    Table("attributes", Attribute, "resident", ("name", "valid"),
          _("Particulars that a refund depends on"), REF | {"id"}),
    Table("recording_pauses", RecordingPause, "resident", ("valid",),
          _("Times in which nothing was recorded"), REF | {"id"}),
    Table("cards", Card, "resident", ("valid_from", "pk"), _("Your cards"),
          REF | {"card_index", "index_version", "sealed_card_id", "key_version", "issuer_version"}),
    Table("card_suspensions", CardSuspension, "card__resident", ("reported_at", "pk"),
          _("Times in which a card was suspended"), frozenset({"id", "reported_by", "lifted_by"})),
    Table("card_orders", CardOrder, "resident", ("ordered_at", "pk"),
          _("Cards that were ordered"), REF | {"id", "ordered_by"}),
    Table("card_handovers", HandOver, "card__resident", ("at",),
          _("Where a card was handed over, on which kinds of documents"), frozenset({"id", "actor"})),
    Table("card_uses", CardCounter, "resident_ref", ("card",),
          _("Which uses of a card were counted, by its own counter"), REF),
    Table("letters", Notice, "resident", ("created_at", "pk"), _("Letters with a code for the portal"),
          REF | {"code_hash", "file", "returned_by"}),
    Table("sign_in", Account, "resident_ref", ("pk",), _("How you sign in"),
          named=("user__username", "user__date_joined", "user__last_login")),
    Table("sign_in_sessions", UserSession, SIGNED_IN, ("pk",), _("Browsers with which you are signed in"),
          named=("created_at", "last_seen_at", "ip", "user_agent")),
    Table("sign_in_factors", Authenticator, SIGNED_IN, ("pk",), _("What you sign in with beside the password"),
          named=("type", "created_at", "last_used_at")),
    Table("sign_in_identities", SocialAccount, SIGNED_IN, ("pk",), _("Identities that you sign in with"),
          named=("provider", "date_joined", "last_login")),
    Table("proxies", Proxy, "resident", ("pk",), _("Who acts or acted for you: what they were given, and when"),
          REF | {"id", "proxy_id", "named_by", "ended_by"}),
    Table("acting", Proxy, "proxy", ("pk",), _("For whom you act or acted: what you were given, and when"),
          REF | {"id", "proxy_id", "named_by", "ended_by"}),
    Table("proxy_codes", ProxyCode, "proxy", ("pk",), _("Codes by which somebody could name you"),
          frozenset({"id", "proxy_id", "code_hash"})),
    Table("proxy_days", ProxyDay, "resident", ("day", "pk"), _("Days on which somebody acted for you"),
          REF | {"id", "proxy_id"}),
    Table("acting_days", ProxyDay, "proxy", ("day", "pk"), _("Days on which you acted for somebody"),
          REF | {"id", "proxy_id"}),
    Table("household_consents", HouseholdConsent, "resident", ("pk",),
          _("Whether the others of your household saw what you spent and got back"),
          REF | {"id", "given_by", "withdrawn_by"}),
    Table("head_payment_consents", HeadPaymentConsent, "resident", ("pk",),
          _("Whether you agreed that refunds of your household go to its head"),
          REF | {"id", "head_id", "withdrawn_by"}),
    Table("payment_accounts", PaymentAccount, "resident", ("requested_at", "pk"),
          _("Accounts that you named for the refund, and consents to the public account"),
          REF | {"content", "key_version", "requested_by", "reviewed_by"}),
    Table("purchases", Entry, "resident_ref", ("tax_year", "at", "terminal_id", "seq"),
          _("Counted purchases, and what returns and corrections changed of them"), REF | {"part"},
          added=shops, added_columns=SHOP),
    Table("purchases_not_counted", Withheld, "resident_ref", ("tax_year", "at", "terminal_id", "seq"),
          _("Purchases that are held or were refused, and your answers"), REF, added=shops, added_columns=SHOP),
    Table("claimed_receipts", ClaimAttempt, "resident_ref", ("at", "pk"),
          _("Tries to claim a purchase by a receipt's code"), REF | {"id"}),
    Table("disputes", Dispute, "resident_ref", ("opened_at", "pk"), _("Your disputes, and what was decided"),
          REF | {"photo_id", "proposed_by", "proposed_at", "approved_by", "appeal_decided_by"}, added=decided_only),
    Table("annulments", Annulment, "resident_ref", ("told_at", "pk"),
          _("What was held against purchases of yours, your replies, and what was decided"),
          REF | {"id", "case_id", "told_by", "said", "proposed_by", "proposed_at", "approved_by", "lifted_by"},
          added=approved_only),
    Table("totals", Total, "resident_ref", ("tax_year", "run", "tier"), _("Your totals by year, run and tier"), REF),
    Table("refunds", Refund, "resident_ref", ("tax_year", "run"),
          _("Your refunds as numbers; the statements say the same in words"), REF),
    Table("refund_households", Member, "resident_ref", ("tax_year", "run", "first_month"),
          _("The months in households that a refund was computed with"), REF | {"group_ref", "payee_ref"}),
    Table("settlements", Settlement, "resident_ref", ("at", "pk"),
          _("What became of refunds: paid, netted, lapsed"), REF | {"id"}),
    Table("payments_owed", Obligation, "resident_ref", ("made_at", "pk"),
          _("What is to be paid to you, how it was reckoned, and what it waits for"),
          REF | {"id", "payee_ref", "carried_into_id", "tries"}),
    Table("payable_letters", PayableLetter, "attempt__obligation__payee_ref", ("pk",),
          _("Letters with which the post office pays you"), frozenset({"attempt_id", "code_hash"})),
    Table("lapse_warnings", LapseWarning, "resident_ref", ("at", "pk"),
          _("Warnings that an unclaimed refund would be lost"), REF | {"id"}),
    Table("decisions", Decision, "resident_ref", ("decided_at", "pk"), _("Decisions, appeals and outcomes"), REF),
    Table("messages", Message, "resident_ref", ("at", "pk"), _("Messages that you got"), REF | {"once"}),
    Table("e_mail", Mailing, "resident", ("pk",), _("Which messages come by e-mail"),
          REF | {"stop_token", "code_hash"}),
    Table("accesses", AccessRecord, "resident_ref", ("at", "pk"),
          _("Who looked at your data, by role and office"), REF | {"actor", "origin", "written"},
          told=lambda at: ~Q(told_later(at))),
    Table("events", Event, "resident_ref", ("at", "pk"), _("What was done with your data, by its kind"),
          REF | {"actor", "subject", "detail", "origin", "written", "before_mac", "after_mac"},
          told=lambda at: ~told_later_of(at)),
    Table("break_glass", BreakGlass, "resident_ref", ("asked_at", "pk"),
          _("Requests of officers to see your data beyond what their role opens"),
          REF | {"id", "asked_by", "approved_by", "ended_by"}, told=lambda at: ~Q(glass_told_later(at))),
    Table("notice_delays", NoticeDelay, "resident_ref", ("asked_at", "pk"),
          _("Notices of who looked at your data that were delayed, once that is over"),
          REF | {"id", "actor", "approved_by", "extension_asked_by", "extension_approved_by", "ended_by", "told_at"},
          told=lambda at: Q(ends_at__lte=at)),
    Table("access_questions", AccessQuestion, "resident_ref", ("asked_at", "pk"),
          _("What you asked of those who looked, and the answers"), REF | {"id", "looked_by", "answered_by"}),
)  # fmt: skip
EXCEPTIONS: Final[Mapping[str, str]] = {
    "inspections_alarmfinding": "What a search measured: an inspection in work, told with its case (個人情報保護法78).",
    "inspections_alarmrecord": "Which of the purchases in entries caused an alarm: likewise.",
    "residents_vaultrecord": "In registration, opened; without the individual number, which is told at a window only.",
    "inspections_sampleitem": "Refunds drawn for a check, and no purchase: that somebody looked is among the accesses.",
    "residents_judgingdue": "Work that waits for some seconds and holds nothing but the reference.",
    "residents_photo": "Photos sent with a dispute: sealed for its officers, and deleted once it is decided.",
    "payouts_paymenthold": "Whoever holds payments back tells the resident; that it waits is in payments_owed.",
    "residents_mail": "The outbox of e-mail: which of the messages is to be sent, until it is.",
}
VAULT_COLUMNS: Final = (
    "resident_code", "name", "name_kana", "name_latin", "name_alias", "former_name", "birth_date", "postal_code",
    "address", "contact",
)  # fmt: skip
ACCOUNT_COLUMNS: Final = ("id", "account_bank", "account_branch", "account_type", "account_number", "account_holder")


def rows_of(table: Table, ref: UUID) -> Iterator[list[Any]]:
    """The resident's rows of a table, in its order, as plain values; flat in memory."""
    manager: Any = table.model._default_manager
    told = table.told(timezone.now()) if table.told else Q()
    found = manager.filter(told, **{table.whose: ref}).order_by(*table.order).values(*table.columns)
    rows = iter(found.iterator(chunk_size=ROWS_AT_ONCE))
    while some := list(islice(rows, ROWS_AT_ONCE)):
        if table.added:
            table.added(some)
        for row in some:
            yield [plain(row[column]) for column in (*table.columns, *table.added_columns)]


def plain(value: Any) -> Any:
    """A value as JSON has it: times of Japan, hashes in hex, a period as from and to."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | memoryview):
        return [plain(part) for part in value]
    if hasattr(value, "upper_inc"):
        return {"from": plain(value.lower), "to": plain(value.upper)}
    made = next((make for kind, make in PLAIN.items() if isinstance(value, kind)), None)
    return made(value) if made else value


PLAIN: Final[Mapping[Any, Callable[[Any], Any]]] = {  # a datetime is a date as well, and comes first
    datetime: lambda value: timezone.localtime(value).isoformat(),
    date: str,
    UUID: str,
    Decimal: int,
    bytes: bytes.hex,
    memoryview: lambda value: bytes(value).hex(),
}
