"""Naming many residents' first accounts at once, as a municipality does that hands over those it knows already."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import msgspec
from django.db import transaction
from psycopg.types.range import TimestamptzRange

from apps.audit.operations import record_events
from apps.audit.states import Change
from apps.residents.accounts.holder import HolderCheck, holder_check
from apps.residents.models import PaymentAccount, VaultRecord
from apps.residents.operations.holding import held_vault_keys
from apps.residents.operations.messages import tell_each
from apps.residents.queries.proxies import in_force
from apps.residents.queries.vault import opened
from apps.residents.vault.contents import ACCOUNT_TABLE, Account
from apps.residents.vault.sealing import Place, seal

AT_ONCE: Final = 1_000


def name_first_accounts(accounts: Mapping[UUID, Account], *, channel: str, at: datetime, actor: str) -> int:
    """Let refunds go to these accounts from now on, where a resident has named none. Returns how many were named.

    Left out: who is not in the vault, named an account before, or has a proxy who may say where it is paid to, who are
    named one by one (`name_account`). Each thousand is a transaction. Raises VaultKeysMissing, VaultKeysOutdated.
    """
    refs = sorted(accounts)
    some = (refs[first : first + AT_ONCE] for first in range(0, len(refs), AT_ONCE))
    return sum(_name({ref: accounts[ref] for ref in chosen}, channel, at, actor) for chosen in some)


@transaction.atomic
def _name(accounts: Mapping[UUID, Account], channel: str, at: datetime, actor: str) -> int:
    keys = held_vault_keys()
    known = VaultRecord.objects.select_for_update(no_key=True).filter(pk__in=accounts, erased_at=None)
    has_one = set(PaymentAccount.objects.filter(resident__in=accounts).values_list("resident_id", flat=True))
    has_proxy = set(in_force(at).filter(resident__in=accounts, may_pay=True).values_list("resident_id", flat=True))
    rows = []
    for ref, person in known.order_by("pk").values_list("pk", "person"):
        if ref in has_one or ref in has_proxy:
            continue
        found = opened(keys, ref, {"person": person}).person
        row = PaymentAccount(
            id=uuid4(), resident_id=ref, kind=PaymentAccount.Kind.BANK, valid=TimestamptzRange(at, None),
            holder_check=holder_check(accounts[ref].holder, found) if found else HolderCheck.DIFFERS,
            requested_at=at, requested_by=actor, channel=channel, key_version=keys.newest,
        )  # fmt: skip
        content = msgspec.json.encode(accounts[ref])
        row.content = seal(keys, Place(ACCOUNT_TABLE, "content", str(row.pk)), content)
        rows.append(row)
    PaymentAccount.objects.bulk_create(rows)
    _announce(rows, at, actor)
    return len(rows)


def _announce(rows: list[PaymentAccount], at: datetime, actor: str) -> None:
    start = at.isoformat()
    details: dict[str, dict[str, object]] = {
        f"resident:{row.resident_id}": {
            "account": str(row.pk), "kind": row.kind, "check": row.holder_check, "from": start,
        }
        for row in rows
    }  # fmt: skip
    changes: dict[str, Change] = {subject: {"before": {}, "after": detail} for subject, detail in details.items()}
    record_events(at=at, actor=actor, action="account.name", details=details, changes=changes)
    told = [(row.resident_id, {"what": "account.name", "effective_at": start}) for row in rows]
    tell_each(told, "account_changed", at=at)
