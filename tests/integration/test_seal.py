"""The seal: every single change of what a terminal sent is detected, told to the till, and raised as an alarm."""

import copy
import json
import random
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accruals.operations.counting import count_all
from apps.audit.models import Alarm
from apps.merchants.models import Terminal
from apps.purchases.chain import ChainBroken, SealMismatch, SealMissing
from apps.purchases.lanes import lane_of
from apps.purchases.models import Closing, Purchase, TerminalState
from apps.purchases.models import Seal as KeptSeal
from apps.purchases.operations import Answer, accept_batch
from apps.purchases.serializers import read_envelope
from apps.purchases.store import Sender
from tests.till import RawTill, Record, forget_all
from tests.world import TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def till(world: World) -> RawTill:
    return RawTill(world, private_key=KEY)


def send(body: bytes, *, key: Ed25519PrivateKey = KEY) -> Answer:
    """Report a batch as a terminal that is enrolled with this key."""
    envelope = read_envelope(body)
    terminal = Terminal.objects.get(code=TERMINAL)
    public_key = key.public_key().public_bytes_raw()
    sender = Sender(
        lane_of(terminal.pk), terminal.pk, terminal.code, terminal.merchant_id, public_key, uuid4(), "acme/till/1"
    )
    return accept_batch(sender, map(bytes, envelope.purchases), seal=envelope.read_seal(), now=timezone.now())


def alarms() -> set[str]:
    return set(Alarm.objects.values_list("kind", flat=True))


def test_sealed_batches_are_taken_and_their_seals_are_kept(world: World, till: RawTill) -> None:
    for _ in range(5):
        till.sale(reduced=100)
    assert len(send(till.batch(till.records[:2])).decided.accepted) == 2
    assert len(send(till.batch(till.records[2:])).decided.accepted) == 3
    state = TerminalState.objects.get()
    assert bytes(state.head or b"") == till.head(5)
    assert list(KeptSeal.objects.order_by("last_seq").values_list("last_seq", flat=True)) == [2, 5]
    assert not alarms()


def test_a_batch_sent_again_whole_or_in_part_or_with_more_is_no_fault(world: World, till: RawTill) -> None:
    for _ in range(6):
        till.sale(reduced=100)
    send(till.batch(till.records[:4]))
    assert len(send(till.batch(till.records[:4])).decided.duplicates) == 4
    assert len(send(till.batch(till.records[1:3])).decided.duplicates) == 2
    answer = send(till.batch(till.records[2:6]))
    assert (len(answer.decided.duplicates), len(answer.decided.accepted)) == (2, 2)
    assert len(send(till.batch(till.records[4:6])).decided.duplicates) == 2
    assert not alarms()


def test_rejected_records_are_in_the_chain(world: World, till: RawTill) -> None:
    till.sale(reduced=100)
    till.sale(foood=100)
    till.records.append({"seq": 3, "at": "some day", "lines": [{"tier": "Reduced", "amount": -1}]})
    till.sale(reduced=50)
    answer = send(till.batch())
    assert [refusal.defect.code for refusal in answer.decided.refusals] == ["tier_unknown", "record_malformed"]
    assert len(send(till.batch()).decided.duplicates) == 4
    assert not alarms()


def test_a_batch_without_a_seal_is_refused_as_a_whole(world: World, till: RawTill) -> None:
    till.sale(reduced=100)
    with pytest.raises(SealMissing):
        send(json.dumps({"terminal": TERMINAL, "purchases": till.records}).encode())
    assert (alarms(), Purchase.objects.count()) == ({"seal_missing"}, 0)


def test_a_gap_is_named(world: World, till: RawTill) -> None:
    for _ in range(4):
        till.sale(reduced=100)
    send(till.batch(till.records[:1]))
    with pytest.raises(ChainBroken):
        send(till.batch(till.records[2:]))
    assert alarms() == {"chain_gap"}
    send(till.batch(till.records[1:]))


def test_a_fork_is_a_fault_though_it_is_sealed(world: World, till: RawTill) -> None:
    till.sale(reduced=100)
    till.sale(reduced=200)
    send(till.batch())
    forked = copy.deepcopy(till)
    forked.records[1]["lines"][0]["amount"] = 999
    with pytest.raises(ChainBroken):
        send(forked.batch(forked.records[1:]))
    assert alarms() == {"chain_fork"}
    assert Purchase.objects.get(seq=2).amount_minor == 200


def test_every_other_fork_is_an_alarm_of_its_own(world: World, till: RawTill) -> None:
    till.sale(reduced=1)
    send(till.batch())
    for amount in (2, 3, 3):
        forked = copy.deepcopy(till)
        forked.records[0]["lines"][0]["amount"] = amount
        with pytest.raises(ChainBroken):
            send(forked.batch())
    assert Alarm.objects.filter(kind="chain_fork").count() == 2


def test_a_seal_that_is_no_base64url_is_refused_with_an_alarm(world: World, till: RawTill) -> None:
    till.sale(reduced=1)
    content = json.loads(till.batch())
    content["seal"]["signature"] += "="
    with pytest.raises(SealMismatch):
        send(json.dumps(content).encode())
    assert alarms() == {"seal_mismatch"}


def test_somebody_elses_signature_is_refused(world: World, till: RawTill) -> None:
    till.sale(reduced=100)
    till.private_key = OTHER_KEY
    with pytest.raises(SealMismatch):
        send(till.batch())
    assert alarms() == {"seal_mismatch"}


def test_a_till_that_was_enrolled_again_goes_on_from_the_servers_head(world: World, till: RawTill) -> None:
    till.sale(reduced=100)
    send(till.batch())
    till.private_key = OTHER_KEY
    sale = till.sale(reduced=200)
    send(till.batch([sale]), key=OTHER_KEY)
    assert bytes(TerminalState.objects.get().head or b"") == till.head(2)


def test_a_terminal_may_be_sealed_later_and_goes_on_from_there(world: World, till: RawTill) -> None:
    terminal = Terminal.objects.get(code=TERMINAL)
    unsealed = Sender(lane_of(terminal.pk), terminal.pk, terminal.code, terminal.merchant_id, None, uuid4(), "")
    plain = RawTill(world)
    plain.sale(reduced=1)
    plain.sale(reduced=2)
    accept_batch(unsealed, [json.dumps(plain.records[1]).encode()], now=timezone.now())
    sale = plain.sale(reduced=3)
    till.records = [sale]  # its chain starts here, at the server's next number
    send(till.batch())
    assert len(send(till.batch()).decided.duplicates) == 1
    with pytest.raises(ChainBroken):  # what was never sent before is not taken behind the chain's back
        send(RawTill(world, private_key=KEY, records=plain.records).batch([plain.records[0]]))


def history(rng: random.Random, till: RawTill) -> list[list[Record]]:
    """A terminal's days: batches of records, the last of which ends with a closing."""
    sold = 0
    for _ in range(rng.randint(3, 9)):
        amount = rng.randint(1, 500)
        till.sale(reduced=amount)
        sold += amount
    till.close(reduced=sold)
    batches, rest = [], list(till.records)
    while rest:
        size = rng.randint(1, len(rest))
        batches.append(rest[:size])
        rest = rest[size:]
    return batches


def tampered(rng: random.Random, bodies: list[bytes], what: str) -> list[bytes]:
    """The batches with one event changed on the way, their seals as they were."""
    bodies = list(bodies)
    index = rng.randrange(len(bodies))
    content: dict[str, Any] = json.loads(bodies[index])
    records = content["purchases"]
    at = rng.randrange(len(records))
    match what:
        case "drop":
            del records[at]
        case "repeat":
            records.insert(rng.randint(0, len(records)), records[at])
        case "edit":
            change(rng, records[at])
        case "swap":
            other = rng.randrange(len(bodies))
            _swap(content, bodies, index, other, rng)
        case "lose a batch":
            del bodies[index]
            return bodies
        case "swap batches":
            other = (index + 1) % len(bodies)
            bodies[index], bodies[other] = bodies[other], bodies[index]
            return bodies
    bodies[index] = json.dumps(content).encode()
    return bodies


def _swap(content: dict[str, Any], bodies: list[bytes], index: int, other: int, rng: random.Random) -> None:
    records = content["purchases"]
    if other == index:
        if len(records) > 1:
            i, j = rng.sample(range(len(records)), 2)
            records[i], records[j] = records[j], records[i]
        return
    far: dict[str, Any] = json.loads(bodies[other])
    i, j = rng.randrange(len(records)), rng.randrange(len(far["purchases"]))
    records[i], far["purchases"][j] = far["purchases"][j], records[i]
    bodies[other] = json.dumps(far).encode()


def change(rng: random.Random, record: Record) -> None:
    """Change one field of a record."""
    if record.get("kind") == "closing":
        record["totals"] = [{"tier": "reduced", "amount": record["totals"][0]["amount"] + 1}]
        return
    match rng.choice(["amount", "tier", "at", "card", "kind"]):
        case "amount":
            record["lines"][0]["amount"] += 1
        case "tier":
            record["lines"][0]["tier"] = "standard"
        case "at":
            record["at"] = "2017-08-03T09:30:01+09:00"
        case "card":
            del record["card"]
        case "kind":
            record["kind"] = "return"
            record["of"] = {"terminal": TERMINAL, "seq": max(1, record["seq"] - 1)}


def detected(bodies: list[bytes]) -> bool:
    """Whether any of the batches is refused, with an alarm."""
    for body in bodies:
        try:
            send(body)
        except (ChainBroken, SealMismatch):
            return bool(alarms() & {"chain_gap", "chain_fork", "seal_mismatch"})
    return False


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    what=st.sampled_from(["drop", "edit", "swap", "repeat", "lose a batch", "swap batches"]),
)
def test_every_single_change_on_the_way_is_detected(world: World, seed: int, what: str) -> None:
    forget_all()
    rng = random.Random(seed)
    till = RawTill(world, private_key=KEY)
    bodies = [till.batch(batch) for batch in history(rng, till)]
    changed = tampered(rng, bodies, what)
    if changed == bodies or changed == bodies[:-1]:  # nothing was changed; a tail that is yet to come is no fault
        return
    assert detected(changed)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), what=st.sampled_from(["fork", "cut the tail"]))
def test_a_till_that_lies_with_its_own_key_is_detected(world: World, seed: int, what: str) -> None:
    forget_all()
    rng = random.Random(seed)
    till = RawTill(world, private_key=KEY)
    batches = history(rng, till)
    liar = RawTill(world, private_key=KEY, records=copy.deepcopy(till.records))
    if what == "fork":
        for batch in batches:
            send(till.batch(batch))
        at = rng.randrange(len(liar.records))
        change(rng, liar.records[at])
        assert detected([liar.batch(liar.records[at:])])
    else:
        closing = liar.records.pop()
        del liar.records[rng.randrange(len(liar.records)) :]
        liar.records.append(closing | {"seq": len(liar.records) + 1})
        send(liar.batch())
        count_all()
        assert alarms() == {"closing_differs"}
        assert Closing.objects.get().agrees is False
