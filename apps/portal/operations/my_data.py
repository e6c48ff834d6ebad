"""Giving residents all their data as one file: on record, told, then made as it is sent."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.audit.operations import record_event
from apps.portal.data_words import COLUMNS
from apps.portal.queries.accesses import OWN_ACCESS
from apps.portal.queries.my_data import ACCOUNT_COLUMNS, EXCEPTIONS, TABLES, VAULT_COLUMNS, plain, rows_of
from apps.portal.queries.statements import own_statement, own_statements
from apps.portal.viewer import Viewer
from apps.portal.zip_stream import BOM, File, as_both, zipped
from apps.refunds.documents.files import statement_json_file
from apps.residents.models import PaymentAccount, Resident
from apps.residents.operations.messages import tell
from apps.residents.queries.accounts import open_accounts
from apps.residents.queries.vault import read_vault
from apps.residents.vault.contents import COLUMNS as SEALED
from apps.residents.vault.contents import Identity

NOT_TOLD: Final = "individual_number"
REGISTRATION: Final = "registration"
ACCOUNTS: Final = "payment_accounts_opened"
OPENED: Final = {REGISTRATION: VAULT_COLUMNS, ACCOUNTS: ACCOUNT_COLUMNS}  # what comes out of the vault


def take_all(viewer: Viewer, *, at: datetime) -> Iterator[bytes]:
    """All of the resident's data as a ZIP that is made as it is read: CSV and JSON of each table, and what it means.

    That the vault was opened is on record before, and the resident is told. Not inside a transaction. Raises what
    `read_vault` raises.
    """
    registration, accounts = _registration(viewer.ref, at), _accounts(viewer.ref, at)
    with transaction.atomic():
        tell([viewer.ref], "data_taken", at=at)
        record_event(at=at, actor=viewer.actor, action="data.take", subject=f"resident:{viewer.ref}", detail={})
    return zipped(_files(viewer.ref, {REGISTRATION: registration, ACCOUNTS: accounts}, at))


def _registration(ref: UUID, at: datetime) -> list[list[Any]]:
    """The vault's row opened, one row or none. A protected resident's address stays closed: a file gets about."""
    is_protected = Resident.objects.filter(pk=ref, is_protected=True).exists()
    hidden = {NOT_TOLD, "address"} if is_protected else {NOT_TOLD}
    columns = [column for column in SEALED if column not in hidden]
    identity = read_vault([ref], columns, access=OWN_ACCESS, at=at).get(ref)
    return [_opened(identity)] if identity else []


def _opened(known: Identity) -> list[Any]:
    found: dict[str, Any] = {"resident_code": known.resident_code, "contact": known.contact}
    for part in (known.person, known.address):
        if part is not None:
            found |= {name: plain(getattr(part, name)) for name in part.__struct_fields__}
    return [found.get(column) for column in VAULT_COLUMNS]


def _accounts(ref: UUID, at: datetime) -> list[list[Any]]:
    """The accounts that the resident named, opened; the row's id comes first."""
    rows = PaymentAccount.objects.filter(resident=ref, content__isnull=False).order_by("requested_at", "pk")
    ids = list(rows.values_list("pk", flat=True))
    found = open_accounts(ids, access=OWN_ACCESS, at=at) if ids else {}
    return [[plain(pk), *msgspec.structs.astuple(found[pk])] for pk in ids if pk in found]


def _files(ref: UUID, opened: Mapping[str, list[list[Any]]], at: datetime) -> Iterator[File]:
    counts: dict[str, int] = {}
    yield "READ-ME.txt", [_read_me().encode()]
    yield from as_both("dictionary", ["file", "column", "en", "ja"], _dictionary(), {})
    for name, columns in OPENED.items():
        yield from as_both(name, columns, opened[name], counts)
    for table in TABLES:
        yield from as_both(table.name, (*table.columns, *table.added_columns), rows_of(table, ref), counts)
    for row in own_statements(ref):
        if row.has_statement:
            file = statement_json_file(own_statement(ref, row.run.tax_year_id, row.run.number))
            yield f"statements/{file.name}", [file.content]
    contents = {"resident_ref": str(ref), "made_at": plain(at), "rows": counts, "left_out": left_out()}
    yield "contents.json", [json.dumps(contents, ensure_ascii=False, indent=2).encode()]


def left_out() -> Mapping[str, str]:
    """What the file does not hold, and why."""
    return {
        **EXCEPTIONS,
        "names of officers, references of others": "They are other people's data. At /accesses you can ask why.",
        "keys, hashes of codes, sealed numbers of cards": "They prove who you are: nobody is told them.",
    }


def _read_me() -> str:
    """What the file is, in both languages."""
    parts = []
    for language in ("ja", "en"):
        with override(language):
            parts.append(
                _(
                    "All that Kanpu holds of you. Each table is there twice: as CSV for a spreadsheet, as JSON for"
                    " programs. dictionary says what each column means, contents.json how many rows there are and what"
                    " is left out and why. In CSV a text that begins like a formula has a ' before it. Keep this file"
                    " where nobody else finds it: it has your name and your purchases."
                )
            )
    return BOM + "\r\n\r\n".join(parts) + "\r\n"


def _dictionary() -> Iterator[list[str]]:
    """A row for each table and each of its columns, with its meaning in both languages."""
    tables = [(table.name, table.words, (*table.columns, *table.added_columns)) for table in TABLES]
    for name, words, columns in [*((name, None, columns) for name, columns in OPENED.items()), *tables]:
        if words is not None:
            yield [name, "", *_in_both(words)]
        for column in columns:
            yield [name, column, *_in_both(COLUMNS[column])]


def _in_both(words: object) -> list[str]:
    found = []
    for language in ("en", "ja"):
        with override(language):
            found.append(str(words))
    return found
