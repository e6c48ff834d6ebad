"""Frauds against the records themselves, which raise an alarm at once: planted before, or tried after all is sent."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone
from kanpu_pos import ApiError, Sale, Seal, digest_0, digests, from_json, line, sign

from apps.audit.access import Access
from apps.audit.officers import Role
from apps.audit.operations.openings import note_opening
from apps.simulator.frauds.acts import Year
from apps.simulator.tills import Server, client_of, key_file

COPIED: Final = ("the next day", "a month later", "at the same minute")
AFTER: Final = (timedelta(days=1), timedelta(days=30), timedelta(0))
LOST_MINOR: Final = (250_000, 1_200, 1)
BROWSED: Final = (("browser", 90, True), ("careful-browser", 30, False), ("helpdesk-after-a-flood", 55, False))


def plant_records(year: Year) -> None:
    """Copies of cards, and tills that lost their last records but count them in the closing."""
    for words, later in zip(COPIED, AFTER, strict=True):
        at, who = year.day(), next(year.spare)
        sale = year.sell(year.till(), at, who, 2_300)
        copy = year.sell(year.till(), at + later, who, 8_700)
        copy.copied = sale
        year.plant("card_cloned", f"copy used {words}", (sale, copy))
    quiet = iter(sorted({act.till for act in year.acts if act.till.startswith("cj-")}))
    for lost_minor in LOST_MINOR:
        till = next(quiet)
        year.lost_minor[till] = lost_minor
        year.plant("closing_differs", f"lost {lost_minor:,}", key=f"{till}:")
    for rule, what in (
        ("chain_gap", "left out a record"),
        ("chain_fork", "sent another past"),
        ("seal_missing", "sent without a seal"),
    ):
        year.plant(rule, what, key=f"{next(quiet)}:")
    year.plant("chain_fork", "sent the same again", key=f"{next(quiet)}:", is_fraud=False)
    for name, residents, is_fraud in BROWSED:
        is_meant = is_fraud or "careful" in name
        year.plant("clerk_browses", f"{residents} residents ({name})", key=f"user:{name}:", is_fraud=is_meant)


def try_at_tills(year: Year, servers: Mapping[str, Server]) -> None:
    """Send what no honest till sends; the server refuses it, and raises an alarm."""
    for one in year.planted:
        till = one.key.partition(":")[0]
        if one.rule == "chain_gap":
            _send(servers[till], till, left_out=1)
        elif one.rule == "chain_fork":
            _send(servers[till], till, changes=one.is_fraud)
        elif one.rule == "seal_missing":
            _send(servers[till], till, is_sealed=False)


def browse(refs: list[UUID]) -> None:
    """Officers open residents: too many, just few enough, or many for a good reason."""
    now = timezone.now()
    for name, residents, _ in BROWSED:
        access = Access(f"user:{name}", Role.CLERK, "Kaku town hall", "card", "")
        for ref in refs[:residents]:
            note_opening(access, ref, at=now)


def _send(server: Server, till: str, *, left_out: int = 0, changes: bool = False, is_sealed: bool = True) -> None:
    """One more record after the kept ones, or the last of them again, perhaps changed."""
    kept = (server.spool / f"{till}.ndjson").read_bytes().splitlines()
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key_file(server.spool, till).read_text()))
    new = [Sale(seq=len(kept) + n, at="2017-12-31T23:59:59+09:00", lines=(("reduced", 100),)).to_json() for n in (1, 2)]
    if left_out or not is_sealed:
        past = [*kept, *new[: left_out + 1]]
    else:
        past = [*kept[:-1], kept[-1].replace(b'"amount":', b'"amount":1')] if changes else kept
    *_, head = digests(digest_0(till), (line(from_json(record)) for record in past))
    seal: Seal = sign(key, head)
    try:
        client_of(server).report(till, past[-1:], seal_at=(lambda _: seal) if is_sealed else None)
    except ApiError:
        return  # refused: that is what the alarm is about
