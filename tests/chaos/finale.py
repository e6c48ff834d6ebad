"""The small year ends and is paid, with kills, on what the storm has left."""

import random
import sys
from dataclasses import dataclass, field
from typing import Final

from apps.refunds.models import Run
from apps.refunds.operations.approving import approve_run, pay_run
from bench.payouts import pay
from bench.rails import AUDITORS, zengin
from tests.chaos.cast import ACTOR, YEAR
from tests.chaos.place import Site
from tests.chaos.year_end import MADE_UP, YearEnd, make_year

FOR_SMALL: Final = 2  # kills of the small year's end


@dataclass(slots=True)
class Ended:
    """The verified run of the small year, and the kills of all steps."""

    run: Run
    kills: dict[str, int] = field(default_factory=dict)


def year_end(site: Site, *, kills: int, seed: int, entries: int) -> Ended:
    """The small year, once undisturbed and once killed; before it, a made-up one of many entries, over and over.

    Raises SystemExit when a digest, which is over every refund, is not that of the undisturbed one.
    """
    hit: dict[str, int] = {}
    if entries:
        make_year(residents=entries // 5, entries=entries)
        made_up = YearEnd(MADE_UP, random.Random(seed), site.folder, kills, _say)
        while made_up.kills < made_up.most:
            made_up.round()
            made_up.take_back()
        hit |= made_up.hit
    small = YearEnd(YEAR, random.Random(seed), site.folder, min(kills, FOR_SMALL), _say)
    run = small.round()
    return Ended(run, {name: hit.get(name, 0) + small.hit.get(name, 0) for name in hit.keys() | small.hit.keys()})


def pay_day(site: Site, ended: Ended, *, kills: int, seed: int) -> dict[str, object]:
    """Two sign, and the run is paid. Raises SystemExit when anything was not paid exactly once."""
    for name in AUDITORS:
        approve_run(YEAR, by=name, actor=ACTOR)
    run = pay_run(YEAR, actor=ACTOR)
    return pay(run, site.folder, way=zengin(site.folder, seed), kills=kills, seed=seed, said=_say)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
