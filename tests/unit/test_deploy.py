"""The units of deploy/: each process has one, which starts what is shown as production, with its own keys only."""

import shlex
from collections import defaultdict
from pathlib import Path

import pytest

from apps.simulator.production import AUDIT_LOG, NONE, WEB, WORKER, Installation, processes

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy").glob("*.service"))
KEYS = {NONE: set(), WEB: {"vault.json"}, WORKER: {"keyring.json"}, AUDIT_LOG: {"audit.pem"}}
TLS = {"tls.pem", "tls.key"}
VARY = {
    "--workers",
    "--workers-kill-timeout",
    "--concurrency",
    "--port",
    "--host",
    "--schedule",
    "--ssl-certificate",
    "--ssl-keyfile",
}
SHOWN = processes(Installation(Path("/x"), ROOT, "postgresql://a@b", "redis://c"), api_port=1, portal_port=2)


def read(unit: Path) -> dict[str, list[str]]:
    """A unit's directives, each with its values."""
    found = defaultdict(list)
    for line in unit.read_text().splitlines():
        name, is_one, value = line.partition("=")
        if is_one and not line.startswith("#"):
            found[name].append(value)
    return found


def name_of(unit: Path) -> str:
    return unit.stem.removeprefix("kanpu-")


def words(command: list[str]) -> list[str]:
    """A command without what differs from host to host: where programs and files lie, how many processes."""
    kept = [Path(command[0]).name]
    options = iter(command[1:])
    for word in options:
        if word in VARY:
            next(options)
        elif word != "--make-key":
            kept.append(word)
    return kept


def test_each_process_has_a_unit() -> None:
    assert {name_of(unit) for unit in UNITS} == set(SHOWN)


@pytest.mark.parametrize("unit", UNITS, ids=name_of)
def test_a_unit_starts_what_is_shown_with_its_own_keys_only(unit: Path) -> None:
    command, keys = SHOWN[name_of(unit)]
    (start,) = read(unit)["ExecStart"]
    assert words(shlex.split(start))[1:] == words(command)[1:]
    given = {credential.partition(":")[0] for credential in read(unit)["LoadCredential"]}
    assert given - TLS == KEYS[keys]
    assert (given >= TLS) == ("granian" in start)


@pytest.mark.parametrize("unit", UNITS, ids=name_of)
def test_a_unit_is_closed_and_stops_gently(unit: Path) -> None:
    told = read(unit)
    assert (told["User"], told["NoNewPrivileges"], told["ProtectSystem"]) == (["kanpu"], ["true"], ["strict"])
    assert (told["KillSignal"], told["Restart"]) == (["SIGTERM"], ["always"])
    assert int(told["TimeoutStopSec"][0]) >= 40
