"""Enrolling terminals, and the one-time codes by which tills register their keys."""

from kanpu_pos.conformance.cases.seals import register
from kanpu_pos.conformance.expecting import equal, field, true
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.link import answered, refused
from kanpu_pos.conformance.registry import case

GROUP = "enrolling"
SOURCE = "Reading back, enrolling"
TERMINALS = "/v1/terminals"


@case(GROUP, "Many terminals are enrolled at once, each standing alone, and again without harm", source=SOURCE)
def _(kit: Kit) -> None:
    plain, sealed = kit.new_terminal(sealed=False), kit.new_terminal(sealed=True)
    rows = [kit.enrolment(plain), {"code": "No Code", "store": "x"}, kit.enrolment(sealed)]
    answer = answered(kit.post_terminals(*rows))
    results = field(answer, "results")
    equal("what became of each", ["enrolled", "rejected", "enrolled"], [field(row, "status") for row in results])
    equal("counts", (2, 1), (field(answer, "enrolled"), field(answer, "rejected")))
    true("a one-time code for the one without a key", field(results[0], "enrolment_code"), results[0])
    true("none for the one with a key", not results[2].get("enrolment_code"), results[2])
    again = field(answered(kit.post_terminals(*rows)), "results")
    equal("what became of each, again", ["exists", "rejected", "exists"], [field(row, "status") for row in again])
    kit.reported(sealed, kit.sale(sealed))
    kit.terminals.append(sealed)


@case(GROUP, "One terminal is enrolled without a list", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.new_terminal(sealed=False)
    answer = answered(kit.post_terminals(kit.enrolment(terminal)))
    equal("status", "enrolled", field(answer, "results", 0, "status"))
    kit.reported(terminal, kit.sale(terminal))


@case(GROUP, "A code that is in use is not given to another till", source=SOURCE)
def _(kit: Kit) -> None:
    used, other = kit.terminal(sealed=True), kit.new_terminal(sealed=True)
    other.code = used.code
    answer = answered(kit.post_terminals(kit.enrolment(other)))
    equal("status", "rejected", field(answer, "results", 0, "status"))


@case(GROUP, "A till registers its own key with a one-time code, once, and without an API key", source=SOURCE)
def _(kit: Kit) -> None:
    terminal, model = kit.terminal(), kit.new_terminal(sealed=True)
    terminal.key = model.key
    register(kit, terminal, terminal.enrolment_code)
    equal("sealed", True, field(kit.state(terminal.code), "sealed"))
    register(kit, terminal, terminal.enrolment_code)  # the first answer may have been lost
    another = {"enrolment_code": terminal.enrolment_code, "public_key": kit.new_terminal(sealed=True).public_key}
    refused(kit.link.post(f"{TERMINALS}/{terminal.code}/key", another, key=False), 403, "enrolment_code_invalid")
    kit.reported(terminal, kit.sale(terminal))


@case(GROUP, "A one-time code is good for its own terminal only, and a new one may be had", source=SOURCE)
def _(kit: Kit) -> None:
    terminal, other, model = kit.terminal(), kit.terminal(), kit.new_terminal(sealed=True)
    path = f"{TERMINALS}/{terminal.code}/key"
    for code in (other.enrolment_code, "no-code"):
        body = {"enrolment_code": code, "public_key": model.public_key}
        refused(kit.link.post(path, body, key=False), 403, "enrolment_code_invalid")
    newer = field(answered(kit.link.post(f"{TERMINALS}/{terminal.code}/enrolment-codes", {})), "enrolment_code")
    terminal.key = model.key
    register(kit, terminal, newer)
    kit.reported(terminal, kit.sale(terminal))


@case(GROUP, "A replaced till's old terminal names the new one", source=SOURCE)
def _(kit: Kit) -> None:
    old, new = kit.terminal(), kit.new_terminal(sealed=False)
    kit.reported(old, kit.sale(old))
    answer = answered(kit.post_terminals({**kit.enrolment(new), "replaces": old.code}))
    equal("status", "enrolled", field(answer, "results", 0, "status"))
    equal("replaced_by", new.code, field(kit.state(old.code), "replaced_by"))
    kit.reported(old, kit.sale(old))
