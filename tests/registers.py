"""Rows of a municipal register, reading them, and what came of it."""

import csv
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.audit.access import Access
from apps.residents.models import (
    Membership,
    RegisterEvent,
)
from apps.residents.numbers import check_digit
from apps.residents.operations.importing import register
from apps.residents.queries.vault import read_vault
from apps.residents.register.rows import Defect
from apps.residents.vault.contents import Identity

NEW_YEAR, AUGUST, NOVEMBER = date(2017, 1, 1), date(2017, 8, 1), date(2017, 11, 1)
TOKYO, OSAKA = "131121", "271004"
Row = dict[str, str]


def number(digits: int) -> str:
    return f"{digits:011}{check_digit(f'{digits:011}')}"


def person(digits: int, **changed: str) -> Row:
    """A row: an adult who has lived in household H since 2010."""
    return {
        "individual_number": number(digits), "resident_code": f"{digits + 7:011}", "name": f"山田 {digits}子",
        "name_kana": "ヤマダ ハナコ", "name_latin": "Yamada Hanako", "birth_date": "1980-05-05",
        "resident_from": "2010-04-01", "resident_to": "", "household": "H", "head": "", "postal_code": "100-0001",
        "address": "東京都架空市本町1-2-3", "name_alias": "", "former_name": "", "language": "ja", "protected": "",
        "event": "", "event_date": "",
    } | changed  # fmt: skip


def write(path: Path, rows: Sequence[Mapping[str, str]], encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path, as_of: date = NEW_YEAR, **options: Any) -> dict[str, Any]:
    """Run the command; its result, whether or not rows were rejected."""
    out = StringIO()
    with suppress(CommandError):
        call_command("import_residents", path, as_of=as_of, json=True, stdout=out, **options)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def enter(*rows: Row, as_of: date = NEW_YEAR, municipality: str = TOKYO) -> list[UUID | Defect]:
    return register(rows, municipality=municipality, as_of=as_of, at=timezone.now(), actor="clerk")


def one(row: Row, as_of: date = NEW_YEAR, municipality: str = TOKYO) -> UUID:
    found = enter(row, as_of=as_of, municipality=municipality)[0]
    assert isinstance(found, UUID), found
    return found


def events(ref: UUID) -> list[tuple[str, date]]:
    return list(RegisterEvent.objects.filter(resident=ref).order_by("pk").values_list("kind", "effective_date"))


def stays(ref: UUID) -> list[tuple[date, date | None, bool]]:
    rows = Membership.objects.filter(resident=ref).order_by("valid")
    return [(row.valid.lower, row.valid.upper, row.is_head) for row in rows]


def home(ref: UUID) -> UUID:
    return Membership.objects.filter(resident=ref).latest("valid").household_ref


def who(ref: UUID) -> Identity:
    access = Access("tester", "registry_clerk", "Test office", "test")
    return read_vault([ref], ["individual_number", "person", "address"], access=access, at=timezone.now())[ref]


def counts(found: dict[str, Any]) -> tuple[int, int, int, int]:
    return found["added"], found["updated"], found["unchanged"], found["rejected"]
