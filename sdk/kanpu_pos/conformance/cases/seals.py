"""Sealed terminals: the chain of their records, and the signature over its head."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kanpu_pos import base64url
from kanpu_pos.conformance.answers import stands, took
from kanpu_pos.conformance.expecting import equal, field
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.link import Exchange, answered, refused
from kanpu_pos.conformance.registry import case
from kanpu_pos.conformance.terminals import Json, TestTerminal
from kanpu_pos.seal import digest_0

GROUP = "seal"
SOURCE = "Reporting purchases, seal"


def spelt(data: bytes | None) -> str:
    """base64url of a head."""
    return base64url.encode(data or b"")


def sent(kit: Kit, terminal: TestTerminal, *records: Json, seal: Json | None) -> Exchange:
    """Send a batch with that seal, or without one."""
    body = {"terminal": terminal.code, "purchases": list(records)}
    return kit.link.post("/v1/purchases", {**body, "seal": seal} if seal else body)


def register(kit: Kit, terminal: TestTerminal, enrolment_code: str) -> None:
    """Register the terminal's key with a one-time code, which needs no API key."""
    body = {"enrolment_code": enrolment_code, "public_key": terminal.public_key}
    answer = answered(kit.link.post(f"/v1/terminals/{terminal.code}/key", body, key=False))
    equal("the key registered", terminal.public_key, field(answer, "public_key"))


@case(GROUP, "Sealed batches are taken one after another, and the server's head is the terminal's", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal(sealed=True)
    state = kit.state(terminal.code)
    equal("sealed", True, field(state, "sealed"))
    equal("the head before the first record", spelt(terminal.head), field(state, "head"))
    sale = kit.sale(terminal, card="standard")
    kit.reported(terminal, sale, kit.sale(terminal))
    kit.reported(terminal, kit.following("return", terminal, sale, lines=[kit.line(540)]), kit.unused(terminal))
    kit.reported(terminal, kit.following("void", terminal, sale), kit.closing(terminal, kit.line(1080)))
    state = kit.state(terminal.code)
    equal("next_seq", 7, field(state, "next_seq"))
    equal("the head after the last record", spelt(terminal.head), field(state, "head"))
    kit.becomes(terminal, sale, "voided")


@case(GROUP, "A sealed batch may repeat known records, exactly, alone or before new ones", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal(sealed=True)
    sales = [kit.sale(terminal) for _ in range(5)]
    kit.reported(terminal, *sales[:4])
    took(kit.report(terminal, *sales[:4]), accepted=0, duplicates=4)
    took(kit.report(terminal, *sales[1:3]), accepted=0, duplicates=2)
    took(kit.report(terminal, *sales[2:]), accepted=1, duplicates=2)
    equal("the head", spelt(terminal.head), field(kit.state(terminal.code), "head"))


@case(GROUP, "A rejected record is in the chain", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal(sealed=True)
    bad = kit.sale(terminal, lines=[{"tier": "no_such_tier", "amount": 1}])
    took(kit.report(terminal, bad, kit.sale(terminal)), accepted=1, rejected=((0, "tier_unknown"),))
    took(kit.report(terminal, kit.sale(terminal)), accepted=1)
    equal("the head", spelt(terminal.head), field(kit.state(terminal.code), "head"))


@case(GROUP, "A terminal with a key sends no batch without a seal", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal(sealed=True)
    sale = kit.sale(terminal)
    refused(sent(kit, terminal, sale, seal=None), 422, "seal_missing")
    stands(took(kit.report(terminal, sale), accepted=1), 2, [])


@case(
    GROUP, "A gap, a wrong order and other content break the chain, and the answer says where to go on", source=SOURCE
)
def _(kit: Kit) -> None:
    terminal = kit.terminal(sealed=True)
    first, second, third, fourth = (kit.sale(terminal) for _ in range(4))
    kit.reported(terminal, first, second)
    head = spelt(terminal.head)
    other = {**second, "lines": [kit.line(1)]}
    for records in ([fourth], [fourth, third], [other, third]):
        error = refused(sent(kit, terminal, *records, seal=terminal.seal(*records)), 422, "chain_broken")
        equal("next_seq", 3, field(error, "next_seq"))
        equal("head", head, field(error, "head"))
    stands(took(kit.report(terminal, third, fourth), accepted=2), 5, [])


@case(GROUP, "A head or a signature that is wrong is refused, and nothing of the batch is taken", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal(sealed=True)
    first, second = kit.sale(terminal), kit.sale(terminal)
    good, before = terminal.seal(first, second), terminal.seal(first)
    seals = [
        before,
        terminal.seal(first, second, key=Ed25519PrivateKey.generate()),
        {**good, "signature": before["signature"]},
        {**good, "signature": good["signature"] + "=="},
        {**good, "signature": ""},
        {**good, "head": "not base64url"},
    ]
    for seal in seals:
        refused(sent(kit, terminal, first, second, seal=seal), 422, "seal_mismatch")
    stands(took(kit.report(terminal, first, second), accepted=2), 3, [])


@case(GROUP, "After a broken disk a till registers a new key and continues from the server's head", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal(sealed=True)
    kit.reported(terminal, kit.sale(terminal), kit.sale(terminal))
    answer = answered(kit.link.post(f"/v1/terminals/{terminal.code}/enrolment-codes", {}))
    old, terminal.key = terminal.key, Ed25519PrivateKey.generate()
    register(kit, terminal, field(answer, "enrolment_code"))
    state = kit.state(terminal.code)
    equal("next_seq", 3, field(state, "next_seq"))
    equal("the head that goes on", spelt(terminal.head), field(state, "head"))
    sale = kit.sale(terminal)
    refused(sent(kit, terminal, sale, seal=terminal.seal(sale, key=old)), 422, "seal_mismatch")
    took(kit.report(terminal, sale), accepted=1)


@case(GROUP, "A terminal that has sold without a key seals from its next number on", source="Reading back, enrolling")
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    kit.reported(terminal, kit.sale(terminal), kit.sale(terminal))
    terminal.key, terminal.sealed_from = Ed25519PrivateKey.generate(), 3
    register(kit, terminal, terminal.enrolment_code)
    state = kit.state(terminal.code)
    equal("next_seq", 3, field(state, "next_seq"))
    equal("the head that the chain starts with", spelt(digest_0(terminal.code)), field(state, "head"))
    took(kit.report(terminal, kit.sale(terminal)), accepted=1)
    equal("the head", spelt(terminal.head), field(kit.state(terminal.code), "head"))
