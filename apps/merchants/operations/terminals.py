"""Enrolling terminals, one or many."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import connection, transaction
from django.utils import translation

from apps.audit.operations import record_events
from apps.audit.states import Change, state_of
from apps.merchants.catalogue import error_object
from apps.merchants.enrolment import Defect, Known, NewTerminal, defect_of, is_same, read_terminal
from apps.merchants.keys import public_key_text
from apps.merchants.models import Merchant, Store, Terminal, TerminalKey
from apps.merchants.operations.merchants import MerchantInvalid
from apps.merchants.operations.terminal_keys import IssuedCode, issue_codes

ENROLMENT_LOCK: Final = 20150901


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of one terminal: new, known before (`exists`), or refused with a `defect`."""

    code: str
    status: str
    issued: IssuedCode | None = None
    defect: Defect | None = None


@dataclass(frozen=True, slots=True)
class Enrolling:
    """Who enrols where: `store_ids` are the stores that the key is limited to, none for all."""

    merchant: Merchant
    store_ids: Sequence[int] = ()
    with_codes: bool = True


def enrol_terminals(
    enrolling: Enrolling, terminals: Sequence[NewTerminal | Defect], *, at: datetime, actor: str
) -> list[Enrolled]:
    """Enrol new terminals of a merchant, each on its own merits, in one transaction of constantly many statements.

    The same terminal again `exists`. One enrolled without a key gets a one-time code, unless `with_codes` is off.
    """
    wanted = [terminal for terminal in terminals if isinstance(terminal, NewTerminal)]
    with transaction.atomic():
        # One at a time: what is known then stays true, whoever else enrols the same codes.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ENROLMENT_LOCK])
        known = _known(wanted)
        decided = list(_decide(enrolling, terminals, known))
        new = [terminal for terminal in decided if isinstance(terminal, NewTerminal)]
        codes = _store(enrolling, new, at=at, actor=actor) if new else {}
    return [_result(terminal, decision, codes) for terminal, decision in zip(terminals, decided, strict=True)]


def _known(wanted: Sequence[NewTerminal]) -> dict[str, Known]:
    """The terminals on record, anybody's, that have one of the codes wanted or replaced."""
    codes = {terminal.code for terminal in wanted} | {terminal.replaces for terminal in wanted if terminal.replaces}
    rows = Terminal.objects.filter(code__in=codes).select_related("store", "replaces")
    return {row.code: _known_terminal(row) for row in rows}


def _known_terminal(row: Terminal) -> Known:
    place = (row.latitude, row.longitude) if row.latitude is not None and row.longitude is not None else None
    key = bytes(row.public_key) if row.public_key else None
    replaces = row.replaces.code if hasattr(row, "replaces") else None
    terminal = NewTerminal(row.code, row.store.name, row.region, place, key, replaces)
    return Known(row.merchant_id, terminal, replaced=row.replaced_by_id is not None)


def _decide(
    enrolling: Enrolling, terminals: Iterable[NewTerminal | Defect], known: dict[str, Known]
) -> Iterator[NewTerminal | Defect | None]:
    """Each terminal if it is new, None if it is known and the same, else why not. `known` grows with the new ones."""
    merchant_id, limited = enrolling.merchant.pk, bool(enrolling.store_ids)
    names = set(Store.objects.filter(pk__in=enrolling.store_ids).values_list("name", flat=True)) if limited else set()
    for new in terminals:
        if isinstance(new, Defect):
            yield new
        elif new.code in known and is_same(known[new.code], merchant_id, new):
            yield None
        elif defect := defect_of(new, merchant_id, known, store_names=names, limited=limited):
            yield defect
        else:
            known[new.code] = Known(merchant_id, new)
            if new.replaces:
                known[new.replaces] = replace(known[new.replaces], replaced=True)
            yield new


def _store(enrolling: Enrolling, new: Sequence[NewTerminal], *, at: datetime, actor: str) -> dict[str, IssuedCode]:
    stores = _stores(enrolling.merchant, {terminal.store for terminal in new})
    rows = Terminal.objects.bulk_create(_row(enrolling.merchant, stores[t.store], t, at) for t in new)
    sealing = [row for row in rows if row.public_key]
    TerminalKey.objects.bulk_create(
        TerminalKey(terminal=row, public_key=row.public_key, registered_at=at) for row in sealing
    )
    _replace(new, rows, at=at)
    changes: dict[str, Change] = {f"terminal:{row.code}": {"before": {}, "after": state_of(row)} for row in rows}
    record_events(at=at, actor=actor, action="terminal.enrol", details=dict(map(_event, new)), changes=changes)
    return issue_codes([row for row in rows if not row.public_key], at=at) if enrolling.with_codes else {}


def _row(merchant: Merchant, store_id: int, new: NewTerminal, at: datetime) -> Terminal:
    latitude, longitude = new.place or (None, None)
    return Terminal(
        code=new.code, merchant=merchant, store_id=store_id, region=new.region, latitude=latitude,
        longitude=longitude, enrolled_at=at, public_key=new.public_key,
    )  # fmt: skip


def _stores(merchant: Merchant, names: set[str]) -> dict[str, int]:
    """The numbers of the merchant's stores of these names; new names are new stores."""
    Store.objects.bulk_create([Store(merchant=merchant, name=name) for name in sorted(names)], ignore_conflicts=True)
    return dict(Store.objects.filter(merchant=merchant, name__in=names).values_list("name", "pk"))


def _replace(new: Sequence[NewTerminal], rows: Sequence[Terminal], *, at: datetime) -> None:
    successors = {terminal.replaces: row for terminal, row in zip(new, rows, strict=True) if terminal.replaces}
    replaced = list(Terminal.objects.filter(code__in=successors)) if successors else []
    for terminal in replaced:
        terminal.replaced_by, terminal.replaced_at = successors[terminal.code], at
    Terminal.objects.bulk_update(replaced, ["replaced_by", "replaced_at"])


def _event(new: NewTerminal) -> tuple[str, dict[str, object]]:
    detail = {
        "region": new.region,
        "store": new.store,
        "public_key": new.public_key and new.public_key.hex(),
        "replaces": new.replaces,
    }
    return f"terminal:{new.code}", {name: value for name, value in detail.items() if value is not None}


def _result(
    terminal: NewTerminal | Defect, decision: NewTerminal | Defect | None, codes: dict[str, IssuedCode]
) -> Enrolled:
    code = terminal.code if isinstance(terminal, NewTerminal) else ""
    if isinstance(decision, Defect):
        return Enrolled(code, "rejected", defect=decision)
    if decision is None:
        return Enrolled(code, "exists")
    return Enrolled(code, "enrolled", issued=codes.get(code))


def enrol_terminal(
    merchant: Merchant,
    code: str,
    *,
    store_name: str = "",
    region: str = "",
    place: tuple[Decimal, Decimal] | None = None,
    public_key: bytes | None = None,
    at: datetime,
    actor: str,
) -> Terminal:
    """A new terminal of the merchant, without a one-time code; `place` is (latitude, longitude) in degrees.

    Raises MerchantInvalid for a code of the wrong form, or one used before for anything else.
    """
    latitude, longitude = place or (None, None)
    fields: dict[str, object] = {"code": code, "store": store_name or code, "region": region}
    fields |= {"latitude": latitude, "longitude": longitude}
    new = read_terminal(fields | {"public_key": public_key and public_key_text(public_key)})
    enrolled = enrol_terminals(Enrolling(merchant, with_codes=False), [new], at=at, actor=actor)[0]
    if enrolled.defect:
        raise MerchantInvalid(words(enrolled.defect))
    return Terminal.objects.get(code=code)


def words(defect: Defect) -> str:
    """The defect in English, as operators read everything."""
    with translation.override("en"):
        return error_object(defect.code, value=defect.value, reason=defect.reason)["message"]
