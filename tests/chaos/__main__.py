"""`make chaos`: nothing acknowledged is lost, nothing is counted or paid twice, whatever is killed.

Tills sell over HTTP while web servers, workers, sweep, clock, sequencer, tills, Redis and PostgreSQL are killed with
SIGKILL, answers are cut off after the commit, disks fill up, and rubbish comes. Then the year ends and is paid, killed
as well. An outside recorder says what must be. The seed gives the order of faults; when they hit is up to the machine.
"""

import argparse
import io
import os
import random
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tests.chaos import place, table
from tests.chaos.ledger import Recorder
from tests.chaos.place import Site

DRAIN_S: Final = 240
SAY_EVERY: Final = 25


@dataclass(frozen=True, slots=True)
class Size:
    """How many of what. `kills` are those of the storm; the year's end and paying have some more."""

    kills: int
    residents: int
    shops: int
    tills: int
    year_end: int
    paying: int
    made_up_entries: int


QUICK: Final = Size(12, residents=12, shops=1, tills=3, year_end=1, paying=1, made_up_entries=0)
LONG: Final = Size(1_000, residents=120, shops=2, tills=3, year_end=30, paying=10, made_up_entries=200_000)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, help="while tills sell: 1,000, quickly 12; more when the year ends")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--quick", action="store_true", help="half a minute")
    parser.add_argument("--keep", action="store_true", help="leave logs and notes where they are")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else LONG
    size = replace(size, kills=arguments.kills or size.kills)
    folder = Path(mkdtemp(prefix="kanpu-chaos-", dir="/var/tmp"))
    folder.chmod(0o755)  # whoever runs PostgreSQL must reach it
    say(f"seed {arguments.seed}, in {folder}")
    for name in ("DATABASE_URL", "REDIS_URL", "KANPU_DEMO", "KANPU_PRODUCTION"):
        os.environ.pop(name, None)
    started_s = time.monotonic()
    with place.site(folder) as site:
        wrong = play(site, size, seed=arguments.seed, started_s=started_s)
    if wrong or arguments.keep:
        say(f"what was left is in {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit("\n".join(wrong) or None)


def play(site: Site, size: Size, *, seed: int, started_s: float) -> list[str]:
    """The storm, the year's end, pay day; prints the table. Returns in words what must not be."""
    from tests.chaos import cast as casting  # noqa: PLC0415 - Django's models need its settings
    from tests.chaos import checking, finale  # noqa: PLC0415

    cast = casting.make_cast(site.folder, residents=size.residents, shops=size.shops, tills=size.tills, seed=seed)
    place.start_the_rest(site)
    recorder = Recorder(site.folder / "recorder.ndjson")
    sold = sell(site, recorder, cast, kills=size.kills, seed=seed, started_s=started_s)
    say(f"{time.monotonic() - started_s:.0f} s: all is counted, {sold.poison} planted records are mended")
    told = checking.told(recorder.notes())
    sealed = [till["code"] for shop in cast.terminals for till in shop if till["key"]]
    found = checking.check(told, cast.residents, sealed)
    say(f"{time.monotonic() - started_s:.0f} s: lost {found.lost}, doubled {found.doubled}; the year ends")
    ended = finale.year_end(site, kills=size.year_end, seed=seed, entries=size.made_up_entries)
    paid = finale.pay_day(site, ended, kills=size.paying, seed=seed)
    played = table.Played(site.kills, sold, told, found, ended, paid)
    print(table.table(played, seed=seed, elapsed_s=time.monotonic() - started_s, cpu_s=cpu_s()))
    return found.wrong


@dataclass(slots=True)
class Sold:
    """The storm's faults, what rubbish was answered, and how many unreadable records were planted."""

    faults: Mapping[str, int]
    poison_answers: Mapping[str, int]
    poison: int


def sell(site: Site, recorder: Recorder, cast: object, *, kills: int, seed: int, started_s: float) -> Sold:
    """Tills sell until so many processes were killed, and then until all is counted. Raises SystemExit if it hangs."""
    from django.db import connection  # noqa: PLC0415

    from apps.merchants.models import Terminal  # noqa: PLC0415
    from tests.chaos import poison  # noqa: PLC0415
    from tests.chaos.cast import POISONED, Cast  # noqa: PLC0415
    from tests.chaos.storm import Storm  # noqa: PLC0415

    assert isinstance(cast, Cast)
    closed = site.folder / "closed"
    for number, terminals in enumerate(cast.terminals):
        plan: dict[str, object] = {
            "url": f"http://127.0.0.1:{site.to_web.port}", "api_key": cast.api_key, "recorder": str(recorder.address),
            "folder": str(site.folder), "closed": str(closed), "seed": seed, "cards": cast.cards,
            "terminals": terminals,
        }  # fmt: skip
        place.start_shop(site, number, plan)
    planted = Terminal.objects.get(code=POISONED[1]).pk
    site.processes.wait_for(f"http://127.0.0.1:{site.to_web.port}/v1/keys")
    say(f"{time.monotonic() - started_s:.0f} s: tills sell")
    storm = Storm(site, seed, cast.poison_key, planted)
    said = 0
    while (done := sum(site.kills.values())) < kills or storm.left_out():
        storm.strike()
        if done >= said + SAY_EVERY:
            said = done
            say(f"{done} kills, {sum(storm.faults.values())} other faults")
    storm.calm()
    connection.close()  # our own was cut off as well
    closed.touch()
    say(f"{time.monotonic() - started_s:.0f} s: the storm is over")
    _wait("tills", lambda: _shops_closed(site))
    mended = poison.mend(site.postgres.url())
    _wait("counting", _counted)
    return Sold(storm.faults, storm.poison_answers, mended)


def _shops_closed(site: Site) -> bool:
    """Start again what dies; a till that has sent everything ends by itself."""
    for name in [name for name in site.commands if name.startswith("shop")]:
        if site.processes.running[name].poll() == 0:
            del site.commands[name], site.processes.running[name]
    site.revive()
    return not any(name.startswith("shop") for name in site.commands)


def _counted() -> bool:
    from django.core.management import call_command  # noqa: PLC0415

    from apps.purchases.models import Closing  # noqa: PLC0415
    from apps.purchases.queries import uncounted  # noqa: PLC0415

    if uncounted() != (0, 0):
        call_command("sweep_outbox", once=True, retry_failed=True, stdout=io.StringIO(), stderr=io.StringIO())
    return uncounted() == (0, 0) and not Closing.objects.filter(due=True).exists()


def _wait(whom: str, is_done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + DRAIN_S
    while not is_done():
        if time.monotonic() > end_s:
            raise SystemExit(f"{whom} did not come to an end within {DRAIN_S} s")
        time.sleep(0.3)


def cpu_s() -> float:
    """What the harness and all that it has started and buried took of the processors, in seconds."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def say(text: str) -> None:
    """To whoever waits."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
