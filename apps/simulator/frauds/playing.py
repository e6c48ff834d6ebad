"""Playing the year with frauds through the real API and workers, and looking at it by the rules of alarms."""

import random
import secrets
import time
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from kanpu_pos.claims import claim_code
from rich.progress import Progress

from apps.accruals.operations.claiming import claim_purchase
from apps.accruals.operations.years import start_year
from apps.audit.models import Alarm
from apps.inspections.models import AlarmFinding, AlarmRecord
from apps.inspections.operations.alarms import find_alarms
from apps.merchants.models import Merchant, Terminal
from apps.merchants.operations import create_merchant, enrol_terminal
from apps.purchases.models import Closing
from apps.purchases.queries import counted_records
from apps.residents.operations import issue_cards, make_keys
from apps.schemes.operations import SHIPPED, load_scheme
from apps.simulator import cast, database
from apps.simulator.baskets import YEAR, baskets, households
from apps.simulator.demo import POLL_S, TILL_PROCESSES, DemoFailed, Options, Stage, empty, servers
from apps.simulator.families import families_of
from apps.simulator.frauds.acts import Act, Shop, Year, honest_year, numbered
from apps.simulator.frauds.at_once import browse, plant_records, try_at_tills
from apps.simulator.frauds.declaring import declare, number_of, plant_declared
from apps.simulator.frauds.planting import plant_all
from apps.simulator.frauds.scoring import Raised, Score, scores
from apps.simulator.frauds.tills import Chip, Ring, play, ring_of
from apps.simulator.processes import Processes
from apps.simulator.tills import Server, make_key

HOUSEHOLDS: Final = 600
SEED: Final = 2017
COUNTED_WITHIN_S: Final = 600


def play_frauds(folder: Path, progress: Progress, *, shoppers: int = HOUSEHOLDS) -> dict[str, Any]:
    """Play the year from an empty database and look for alarms. Returns the scores. Raises DemoFailed."""
    database.check_is_demo()
    started_s = time.monotonic()
    empty(folder)
    (folder / "tills").mkdir(mode=0o700)
    database.recreate()
    stage = Stage(Options(folder), Processes(Path(settings.BASE_DIR), folder / "logs"), progress)
    people = households()[:shoppers]
    year = honest_year(list(baskets(people)), list(families_of(people)), random.Random(SEED))  # noqa: S311 - a play  # nosec B311
    plant_all(year)
    plant_records(year)
    plant_declared(year)
    tills = numbered(year)
    residents, chips = _residents(folder, people)
    keys = _merchants(year.shops, tills, folder / "tills")
    claims = {id(act): secrets.token_bytes(16) for act in year.acts if act.claimed_by}
    with servers(stage) as url:
        of_tills = {till: Server(url, keys[year.shops[till].merchant], folder / "tills") for till in tills}
        rings = {till: [ring_of(act, chips, claims.get(id(act))) for act in acts] for till, acts in tills.items()}
        _send(stage, [(of_tills[till], till, rings[till], year.lost_minor.get(till, 0)) for till in tills])
        try_at_tills(year, of_tills)
        _wait_for_closings()
        _claim(year.acts, claims, residents)
        browse(list(residents.values()))
        declare(year)
        looked_s = time.monotonic()
        looked = find_alarms(YEAR, at=timezone.now(), actor=cast.ACTOR)
        found_s = time.monotonic() - looked_s
    if again := sum(one.raised for one in find_alarms(YEAR, at=timezone.now(), actor=cast.ACTOR)):
        raise DemoFailed(f"Looking a second time raised {again} alarms more.")
    return {
        "records": len(year.acts) + len(tills),
        "residents": len(people),
        "alarms": sum(one.raised for one in looked),
        "looked_s": round(found_s, 1),
        "total_s": round(time.monotonic() - started_s),
        "scores": scores(year.planted, _raised(residents), _members(year)),
    }


def _residents(folder: Path, people: list[int]) -> tuple[dict[int, UUID], dict[int, Chip]]:
    """Scheme, year, keys, and residents with cards, in an empty database."""
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor=cast.ACTOR)
    start_year(YEAR, version, deadline=now.date() + cast.DEADLINE_AHEAD, at=now, actor=cast.ACTOR)
    make_keys(
        Path(str(settings.KANPU_KEYRING)), vault_path=Path(str(settings.KANPU_VAULT_KEYS)),
        seal_until=now + cast.DEADLINE_AHEAD, at=now, actor=cast.ACTOR,
    )  # fmt: skip
    residents = cast.settle_in(folder, people)
    issue_cards(folder / "cards.csv", valid_from=None, at=now, actor=cast.ACTOR)
    return residents, cast.chips_of(folder / "cards.csv", residents)


def _merchants(shops: Mapping[str, Shop], tills: Iterable[str], spool: Path) -> dict[str, str]:
    """The merchants with their tills. Returns each one's API key."""
    now, merchants, keys = timezone.now(), dict[str, Merchant](), dict[str, str]()
    for till in tills:
        shop = shops[till]
        if shop.merchant not in merchants:
            number = number_of(shop.merchant) if shop.merchant[-1].isdigit() else ""
            merchants[shop.merchant], keys[shop.merchant] = create_merchant(
                shop.merchant, registration_number=number, trade=shop.trade, at=now, actor=cast.ACTOR
            )
        enrol_terminal(
            merchants[shop.merchant], till, place=(Decimal(shop.place[0]), Decimal(shop.place[1])),
            public_key=make_key(spool, till), at=now, actor=cast.ACTOR,
        )  # fmt: skip
    return keys


def _send(stage: Stage, jobs: list[tuple[Server, str, list[Ring], int]]) -> None:
    """Tills report and workers count, until all records are counted. Raises DemoFailed."""
    total = sum(len(rings) + 1 for _, _, rings, _ in jobs)
    bar, since_s, accepted = stage.bar("sending", total), time.monotonic(), 0
    for till in play(jobs, processes=TILL_PROCESSES):
        accepted += till.accepted + till.duplicates
        stage.advance(bar, accepted, since_s)
    if accepted != total:
        raise DemoFailed(f"Of {total} records {accepted} were accepted.")
    bar, since_s = stage.bar("counting", total), time.monotonic()
    while (counted := counted_records()) < total:
        stage.processes.check()
        stage.advance(bar, counted, since_s)
        if time.monotonic() - since_s > COUNTED_WITHIN_S:
            raise DemoFailed(f"Of {total} records {counted} were counted: see {stage.processes.logs}.")
        time.sleep(POLL_S)
    stage.advance(bar, total, since_s)


def _wait_for_closings() -> None:
    """Until every closing is compared. Raises DemoFailed."""
    end_s = time.monotonic() + COUNTED_WITHIN_S
    while Closing.objects.filter(recorded=None).exists():
        if time.monotonic() > end_s:
            raise DemoFailed("Closings wait to be compared for too long.")
        time.sleep(POLL_S)


def _claim(acts: Iterable[Act], claims: Mapping[int, bytes], residents: Mapping[int, UUID]) -> None:
    """Residents claim the sales without a card that are theirs, or that they say are."""
    for act in acts:
        if act.claimed_by:
            code = claim_code(claims[id(act)])
            claim_purchase(residents[act.claimed_by], code, now=timezone.now(), actor="resident")


def _raised(residents: Mapping[int, UUID]) -> list[Raised]:
    """The alarms, by the names that the year has for tills, merchants and residents."""
    of_ref = {ref: household for household, ref in residents.items()}
    tills = dict(Terminal.objects.values_list("pk", "code"))
    merchants = {f"merchant:{pk}": name for pk, name in Merchant.objects.values_list("pk", "name")}
    records: dict[int, set[tuple[str, int]]] = {}
    for alarm_id, terminal_id, seq in AlarmRecord.objects.values_list("alarm_id", "terminal_id", "seq"):
        records.setdefault(alarm_id, set()).add((tills[terminal_id], seq))
    for alarm in Alarm.objects.filter(kind="card_cloned"):  # its key names the record
        records[alarm.pk] = {(tills[alarm.detail["terminal_id"]], alarm.detail["seq"])}
    findings = {found.pk: found for found in AlarmFinding.objects.all()}
    raised = []
    for alarm in Alarm.objects.all():
        found = findings.get(alarm.pk)
        subject = merchants.get(found.subject, "") if found else ""
        ref = found.resident_ref if found else None
        whose = {of_ref[ref]} if ref in of_ref else set[int]()
        of_alarm = frozenset(records.get(alarm.pk, ()))
        raised.append(Raised(alarm.kind, alarm.key, subject, frozenset(whose), of_alarm))
    return raised


def _members(year: Year) -> dict[int, list[int]]:
    return {one: family for family in year.families for one in family}


def table(found: list[Score], words: Mapping[str, str]) -> str:
    """The scores as a table in Markdown."""
    head = "| rule | frauds | found | alike | alike found | other alarms | recall | precision |"
    line = "|---|--:|--:|--:|--:|--:|--:|--:|"
    rows = [
        f"| {words[s.rule]} | {s.frauds} | {s.found} | {s.honest} | {s.honest_found} | {s.other}"
        f" | {s.recall_percent} % | {s.precision_percent} % |"
        for s in found
    ]
    missed = [f"- {words[s.rule]}: {'; '.join(s.missed)}" for s in found if s.missed]
    return "\n".join([head, line, *rows, "", "Missed:", "", *missed])
