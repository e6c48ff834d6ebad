"""What Schemathesis cannot know from the document alone: which terminal is there, and that results add up."""

import os
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

TERMINAL = os.environ["KANPU_FUZZ_TERMINAL"]


@schemathesis.hook
def map_body(context: HookContext, body: Any) -> Any:
    """Report for a terminal that is there: else every batch would end as `terminal_not_yours`.

    The first terminal to enrol replaces none and brings no key: so it gets a code, which a link then uses.
    """
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("purchases"), list):
        body["terminal"] = TERMINAL
    several = body.get("terminals")
    first = several[0] if isinstance(several, list) and several else body
    if isinstance(first, dict) and "store" in first:
        first.pop("replaces", None)
        first.pop("public_key", None)
    return body


@schemathesis.hook
def map_query(context: HookContext, query: Any) -> Any:
    """A cursor comes from an earlier page only (the links have such), and `from_seq` needs a terminal that is there."""
    if query:
        query.pop("cursor", None)
        if "from_seq" in query:
            query["terminal"] = TERMINAL
    return query


@schemathesis.check
def every_item_has_its_answer(ctx: CheckContext, response: Response, case: "Case[Any]") -> None:
    """A 200 answers for each record that was sent, and for each terminal."""
    sent: Any = case.body
    if response.status_code != 200 or case.method != "POST" or not isinstance(sent, dict):
        return
    answer: Any = response.json()
    if "purchases" in sent:
        counted = answer["accepted"] + answer["duplicates"] + answer["rejected"]
        assert counted == len(sent["purchases"]), answer
    elif "terminals" in sent:
        assert len(answer["results"]) == len(sent["terminals"]), answer


@schemathesis.check
def only_what_a_schema_cannot_say_is_refused(ctx: CheckContext, response: Response, case: "Case[Any]") -> None:
    """Reading back with parameters of the right form is refused for a made-up cursor, or `from_seq` alone, at most."""
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if positive and case.path == "/v1/purchases" and case.method == "GET" and response.status_code == 400:
        answer: Any = response.json()
        assert answer["error"]["param"] in ("cursor", "from_seq"), response.text
