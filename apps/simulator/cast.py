"""Who plays in the demo: residents with cards, a merchant with a terminal a store, test-mode players, accounts."""

import csv
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from kanpu_pos import read_personalisation

from apps.accruals.operations.test_cards import make_test_cards
from apps.accruals.operations.years import start_year
from apps.audit.officers import Role
from apps.audit.operations.officers import appoint_officer
from apps.kernel.errors import KanpuError
from apps.merchants.models import Merchant, Mode
from apps.merchants.operations import create_merchant, enrol_terminal
from apps.portal.models import Account
from apps.refunds.models import Refund, Run
from apps.residents.keyring import write_private
from apps.residents.operations import issue_cards, make_keys
from apps.residents.operations.importing import Table, import_table
from apps.residents.queries.vault import residents_by_number
from apps.residents.register.table import scan
from apps.schemes.operations import SHIPPED, load_scheme
from apps.simulator import database
from apps.simulator.baskets import YEAR
from apps.simulator.families import MOVING_DAY, NEW_YEAR, Row, moved, register_rows, with_incomes
from apps.simulator.resident_acts import use_the_portal
from apps.simulator.tills import make_key, terminal_code

ACTOR = "demo"
DEADLINE_AHEAD = timedelta(days=2 * 365)
MUNICIPALITY = "139998"  # no town has this code
SHOWN_REFUND_AT_MOST = 2500


OFFICERS: Final = (
    (Role.AUDITOR, "Tax office", "auditor", "the year-end run"),
    (Role.AUDITOR, "Tax office", "auditor2", "the same, for the second signature"),
    (Role.CLERK, "Kaku town hall", "clerk", "the register, cards and letters; residents' numbers are in register.csv"),
    (Role.HELPDESK, "Telephone helpdesk", "helpdesk", "lost cards by telephone"),
    (Role.OPERATOR, "Operations", "operator", "how many cards and letters there are"),
)


class CastIncomplete(KanpuError):
    """Somebody whom the demo needs is not there."""

    code = "cast_incomplete"


@dataclass(frozen=True, slots=True)
class Login:
    """A demo account: what it shows, its name and its password."""

    shows: str
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Cast:
    """What the tills need: each household's chip, and the merchant's API key."""

    residents: dict[int, UUID]
    chips: dict[int, tuple[bytes, bytes]]
    api_key: str
    test_api_key: str


def set_up(folder: Path, household_ids: list[int], store_ids: Iterable[int], *, scheme: str) -> Cast:
    """Scheme, years, keys, residents with cards, terminals. The database is empty before."""
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / f"{scheme}.yaml", at=now, actor=ACTOR)
    deadline = now.date() + DEADLINE_AHEAD
    for year in (YEAR, now.year):
        start_year(year, version, deadline=deadline, at=now, actor=ACTOR)
    make_keys(
        _key_file("KANPU_KEYRING"),
        vault_path=_key_file("KANPU_VAULT_KEYS"),
        seal_until=now + timedelta(days=365),
        at=now,
        actor=ACTOR,
    )
    residents = settle_in(folder, household_ids)
    make_test_cards(at=now, actor=ACTOR)
    issue_cards(folder / "cards.csv", valid_from=None, at=now, actor=ACTOR)
    merchant, api_key = create_merchant("The Complete Journey", trade="5611", at=now, actor=ACTOR)
    _enrol(merchant, store_ids, folder / "tills")
    test_merchant, test_api_key = create_merchant("Test merchant", mode=Mode.TEST, at=now, actor=ACTOR)
    enrol_terminal(test_merchant, "test-1", at=now, actor=ACTOR)
    return Cast(residents, chips_of(folder / "cards.csv", residents), api_key, test_api_key)


def settle_in(folder: Path, household_ids: list[int]) -> dict[int, UUID]:
    """The town's register read as a municipality sends it: at New Year, and of those who move again in August."""
    at_new_year = with_incomes(register_rows(household_ids))
    _import(folder / "register.csv", at_new_year, as_of=NEW_YEAR)
    _import(folder / "register-august.csv", moved(at_new_year), as_of=MOVING_DAY)
    refs = residents_by_number([row["individual_number"] for row in at_new_year.values()])
    return {household: refs[row["individual_number"]] for household, row in at_new_year.items()}


def _import(path: Path, rows: Mapping[int, Row], *, as_of: date) -> None:
    """Write a register's file and read it. Raises CastIncomplete when a row is not taken."""
    columns = dict.fromkeys(column for row in rows.values() for column in row)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows(rows.values())
    path.chmod(0o600)
    report = import_table(
        Table(path), scan(path), municipality=MUNICIPALITY, as_of=as_of, at=timezone.now(), actor=ACTOR,
        seen=lambda _phase, _line: None,
    )  # fmt: skip
    if report.rejected:
        raise CastIncomplete(f"{report.rejected} residents are not in the register: {report.shown}")


def _key_file(name: str) -> Path:
    path = getattr(settings, name)
    if path is None:
        raise database.NotTheDemo(f"{name} is not set: use `make demo`.")
    return Path(path)


@transaction.atomic
def _enrol(merchant: Merchant, store_ids: Iterable[int], spool: Path) -> None:
    """A till a store, each with a key of its own in `spool`."""
    now = timezone.now()
    for store in store_ids:
        code = terminal_code(store)
        key = make_key(spool, code)
        enrol_terminal(merchant, code, store_name=f"Store {store}", public_key=key, at=now, actor=ACTOR)


def chips_of(path: Path, residents: dict[int, UUID]) -> dict[int, tuple[bytes, bytes]]:
    household_of = {str(ref): household for household, ref in residents.items()}
    chips = {}
    for row in read_personalisation(path):
        if household := household_of.get(row.resident_ref):
            card = row.card()
            chips[household] = (card.card_id, card.card_key)
    return chips


def write_refunds(path: Path, run: Run, residents: dict[int, UUID]) -> None:
    """`household_id,reduced_amount,standard_amount,refund`, a row per household, sorted by household."""
    refunds = {refund.resident_ref: refund for refund in Refund.objects.filter(tax_year=YEAR, run=run.number)}
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["household_id", "reduced_amount", "standard_amount", "refund"])
        for household in sorted(residents):
            writer.writerow([household, *_amounts(refunds.get(residents[household]))])


def _amounts(refund: Refund | None) -> tuple[int, int, int]:
    if refund is None:
        return 0, 0, 0
    reduced, standard = refund.spend_minor  # the lines of jp-2015, whose rates do not change within the year
    return reduced, standard, refund.entitled_minor


def create_logins(path: Path, run: Run, residents: Mapping[int, UUID]) -> list[Login]:
    """An account for a resident well below the cap, auditors, who sign the run, and offices; kept at `path`."""
    refunds = Refund.objects.filter(tax_year=YEAR, run=run.number, entitled_minor__lte=SHOWN_REFUND_AT_MOST)
    shown = refunds.order_by("-entitled_minor", "resident_ref").first()
    logins = []
    if shown:
        resident = Login("a resident's year", "resident", secrets.token_urlsafe(12))
        Account.objects.create(user=_user(resident), resident_ref=shown.resident_ref)
        use_the_portal(shown.resident_ref, holder=_kana_of(shown.resident_ref, residents))
        logins.append(resident)
    for role, office, name, shows in OFFICERS:
        officer = Login(shows, name, secrets.token_urlsafe(12))
        appoint_officer(name, add=[role], office=office, password=officer.password, at=timezone.now(), actor=ACTOR)
        logins.append(officer)
    write_private(path, json.dumps([asdict(login) for login in logins]))
    return logins


def _kana_of(resident_ref: UUID, residents: Mapping[int, UUID]) -> str:
    """The resident's name as banks write it."""
    (household,) = (household for household, ref in residents.items() if ref == resident_ref)
    return register_rows(list(residents))[household]["name_kana"]


def read_logins(path: Path) -> list[Login]:
    """The accounts that the last demo made."""
    return [Login(**login) for login in json.loads(path.read_text())]


def _user(login: Login) -> User:
    return User.objects.create_user(login.username, password=login.password)
