"""Reading back what became of one's records, and where a terminal stands."""

from datetime import datetime

from kanpu_pos.conformance.expecting import equal, field, only_fields, true
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.link import answered, refused
from kanpu_pos.conformance.registry import case

GROUP = "reading back"
SOURCE = "Reading back, enrolling"
FIELDS = ("terminal", "seq", "kind", "at", "of", "lines", "status", "error", "received_at", "changed_at")
PURCHASES = "/v1/purchases"


@case(GROUP, "A record is read back as it was sent, with what became of it and never a resident", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    sale = kit.sale(terminal, card="standard")
    back = kit.following("return", terminal, sale, lines=[kit.line(540)])
    bad = kit.sale(terminal, lines=[{"tier": "no_such_tier", "amount": 1}])
    answered(kit.report(terminal, sale, back, bad))
    kit.becomes(terminal, back, "counted")
    rows = kit.rows(terminal.code)
    for row in rows:
        only_fields("a record", row, FIELDS)
        for name in ("received_at", "changed_at"):
            true(f"{name} with an offset", datetime.fromisoformat(row[name]).tzinfo, row)
    equal("numbers", [1, 2, 3], [row["seq"] for row in rows])
    equal("kinds", ["sale", "return", "sale"], [row["kind"] for row in rows])
    equal("of", [None, back["of"], None], [row["of"] for row in rows])
    times = [datetime.fromisoformat(row["at"]) for row in (sale, rows[0])]
    true("the time that was sent", times[0] == times[1], rows[0])
    equal("lines", [record["lines"] for record in (sale, back, bad)], [row["lines"] for row in rows])
    equal("the code of the rejected one", "tier_unknown", field(rows[2], "error", "code"))


@case(GROUP, "Pages follow each other by cursor, without a record twice or left out", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    kit.reported(terminal, *(kit.sale(terminal) for _ in range(7)))
    seen, cursor, pages = [], None, 0
    while pages == 0 or (cursor and pages < 10):
        page = answered(kit.link.get(PURCHASES, terminal=terminal.code, limit=3, cursor=cursor))
        true("at most 3 records a page", len(field(page, "purchases")) <= 3, page)
        seen += [row["seq"] for row in page["purchases"]]
        cursor, pages = field(page, "next_cursor"), pages + 1
    equal("numbers", list(range(1, 8)), seen)
    equal("pages", 3, pages)


@case(GROUP, "Records are filtered by number, status and time of change", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    good, bad = kit.sale(terminal, card="standard"), kit.sale(terminal, lines=[{"tier": "no_such_tier", "amount": 1}])
    answered(kit.report(terminal, good, bad))
    changed_at = kit.becomes(terminal, good, "counted")["changed_at"]
    later = kit.sale(terminal, card="standard")
    kit.reported(terminal, later)
    kit.becomes(terminal, later, "counted")
    equal("from_seq=2", [2, 3], [row["seq"] for row in kit.rows(terminal.code, from_seq=2)])
    equal("status=rejected", [2], [row["seq"] for row in kit.rows(terminal.code, status="rejected")])
    equal("status=counted", [1, 3], [row["seq"] for row in kit.rows(terminal.code, status="counted")])
    after = [row["seq"] for row in kit.rows(terminal.code, changed_after=changed_at)]
    true("what changed later, and not what changed before", 3 in after and 2 not in after, after)


@case(GROUP, "Without a terminal the records of all terminals are read", source=SOURCE)
def _(kit: Kit) -> None:
    terminals = [kit.terminal(), kit.terminal()]
    before = kit.sale(terminals[0])
    kit.reported(terminals[0], before)
    since = kit.row(terminals[0], before)["received_at"]
    for terminal in terminals:
        kit.reported(terminal, kit.sale(terminal))
    codes = {row["terminal"] for row in kit.rows(None, changed_after=since)}
    true("records of both terminals", {terminal.code for terminal in terminals} <= codes, sorted(codes))


@case(GROUP, "A question that makes no sense is malformed, and names the parameter", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    wrong = {"limit": "0", "from_seq": "x", "status": "paid", "changed_after": "yesterday", "cursor": "no cursor"}
    for name, value in wrong.items():
        params = {"terminal": terminal.code, name: value}
        error = refused(kit.link.send("GET", PURCHASES, params=params), 400, "malformed")
        equal("param", name, field(error, "param"))
    refused(kit.link.get(PURCHASES, terminal=terminal.code, limit=1001), 400, "malformed")


@case(GROUP, "Records and state of a terminal that is not yours are not shown", source=SOURCE)
def _(kit: Kit) -> None:
    code = kit.new_terminal(sealed=False).code
    refused(kit.link.get(PURCHASES, terminal=code), 403, "terminal_not_yours")
    refused(kit.link.get(f"/v1/terminals/{code}"), 403, "terminal_not_yours")
    refused(kit.link.get(PURCHASES, terminal=kit.terminal().code, key=False), 401, "key_invalid")


@case(GROUP, "A terminal's state says where it goes on and what is missing", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    state = kit.state(terminal.code)
    only_fields(
        "a terminal",
        state,
        (
            "code",
            "store",
            "region",
            "enrolled_at",
            "sealed",
            "next_seq",
            "head",
            "missing",
            "last_closing",
            "replaced_by",
        ),
    )
    known = {
        name: state[name] for name in ("code", "sealed", "next_seq", "head", "missing", "last_closing", "replaced_by")
    }
    equal(
        "a new terminal",
        {"code": terminal.code, "sealed": False, "next_seq": 1, "head": None, "missing": [], "last_closing": None,
         "replaced_by": None},
        known,
    )  # fmt: skip
    kit.reported(terminal, kit.sale(terminal, seq=4))
    state = kit.state(terminal.code)
    equal("next_seq and missing", (5, [[1, 3]]), (state["next_seq"], state["missing"]))
