"""Every event that changes state says what was and what is, as keyed hashes; the few that do not say why not."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings

STATES: Final = {"before", "after"}
ERASED: Final = "What was is to be forgotten: a hash of it would let who has the key try what it was."
FILE: Final = "The state is a file's, and its hash is in the detail."
MANY: Final = "Thousands of rows at once; the file or the rows are hashed in the detail, or kept as they came."
NONE: Final = "Changes nothing: that somebody looked, asked or tried."
SECRET: Final = "The state is a secret, or that there is one: what kind is in the detail."
SAID: Final = "All that changes is in the detail, and none of it is a resident's."
# By action; by the function, where that is given the action.
WHY_NOT: Final[dict[str, str]] = {
    "purchase.withdraw": ERASED,
    "purchase.claim": ERASED,
    "year.erase": ERASED,
    "year.erased": ERASED,
    "resident.erase": ERASED,
    "contact.set": ERASED,
    "contact.forget": ERASED,
    "archive.restore": FILE,
    "archive.rewrite": FILE,
    "year.recount": "Counts anew what the entries say; each total that was another is in the detail.",
    "register.import": MANY,
    "resident.register": MANY,
    "household.place": MANY,
    "attribute.set": MANY,
    "card.issue": MANY,
    "notices.print": MANY,
    "resident.seek": NONE,
    "resident.open": NONE,
    "register.try": NONE,
    "access.ask": NONE,
    "data.take": NONE,
    "officer.ask_key_reset": NONE,
    "card.publish": SAID,
    "alarm.look": SAID,
    "alarm.dismiss": SAID,
    "alarm.undo": SAID,
    "alarms.search": NONE,
    "poison.replay": SAID,
    "pack.make": FILE,
    "search.run": NONE,
    "search.export": FILE,
    "search.export_fetch": NONE,
    "search.export_cancel": SAID,
    "search.export_delete": SAID,
    "sample.request": SAID,
    "sample.draw": SAID,
    "sample.decide": SAID,
    "sample.undo": SAID,
    "declarations.import": FILE,
    "pack.fetch": NONE,
    "keys.make": SECRET,
    "proxy.code": SECRET,
    "officer.change_password": SECRET,
    "access.answer": "The answer is another table's, and never changed.",
    "card.suspend_by_phone": "The suspension has its own event, card.suspend, with what was and is.",
    "card.order": MANY,  # of all who have none; a single one says it
    "office.act": "What is done at an office has its own event; this one says at which, and how it was asked for.",
    "note": SECRET,
    "note_stranger": NONE,
    "account.activate": SECRET,
    "account.recover": SECRET,
    "record": SECRET,  # of the vault's keys, as they are rotated
    "payout.results": FILE,
    "_save": SAID,  # of a bank to pay from
    "_record": SAID,  # of kept searches: their filters
}


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Every call that adds events: the function it is in, and where."""
    for path in sorted(Path(settings.BASE_DIR, "apps").rglob("*.py")):
        tree = ast.parse(path.read_text())
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
                if name in ("record_event", "record_events"):
                    assert isinstance(node, ast.Call)
                    yield function.name, node, f"{path.name}:{node.lineno}"


def actions_of(call: ast.Call, function: str) -> set[str]:
    """The actions it names, or its function."""
    action = next(keyword.value for keyword in call.keywords if keyword.arg == "action")
    named = {node.value for node in ast.walk(action) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return named if not isinstance(action, ast.JoinedStr | ast.Name) and named else {function}


def says_states(call: ast.Call) -> bool:
    named = {keyword.arg for keyword in call.keywords}
    spread = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg is None]
    return (
        named >= STATES or "changes" in named or any(text.split("(")[0] in ("change", "change_of") for text in spread)
    )


def test_an_event_without_what_was_and_is_has_a_reason() -> None:
    silent = {
        (action, where) for function, call, where in calls() if not says_states(call)
        for action in actions_of(call, function)
    }  # fmt: skip
    assert {found for found in silent if found[0] not in WHY_NOT} == set()
    assert set(WHY_NOT) - {action for action, _ in silent} == set(), "these say it by now: take the reason out"


def test_the_actions_on_what_is_a_residents_say_it() -> None:
    told = {action for function, call, _ in calls() if says_states(call) for action in actions_of(call, function)}
    assert told >= {
        "card.suspend", "card.order", "proxy.name", "proxy.end", "recording.pause", "recording.resume",
        "purchase.answer", "notice.return", "decision.notify", "officer.appoint", "terminal.enrol",
    }  # fmt: skip
