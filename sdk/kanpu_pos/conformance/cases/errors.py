"""Requests that are refused as a whole: with one error object, in two languages, and never with a page."""

import gzip
from typing import Any

from kanpu_pos.conformance.answers import stands, took
from kanpu_pos.conformance.expecting import equal, true
from kanpu_pos.conformance.kit import Kit
from kanpu_pos.conformance.link import refused
from kanpu_pos.conformance.registry import case

GROUP = "errors"
SOURCE = "Reporting purchases, whole-request errors"
PURCHASES = "/v1/purchases"
LIMIT_BYTES = 1024 * 1024


@case(GROUP, "What is not the JSON of a batch is malformed", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    code = terminal.code
    texts = ["", "{", "[]", "null", '"text"', f'{{"terminal": "{code}"}}', '{"purchases": []}', "[" * 5000]
    texts += [f'{{"terminal": "{code}", "purchases": {wrong}}}' for wrong in ("{}", "[NaN]", "[1", "null")]
    for text in texts:
        refused(kit.link.post(PURCHASES, text.encode()), 400, "malformed")
    refused(kit.link.post(PURCHASES, b'{"terminal": "\xff"}'), 400, "malformed")
    refused(kit.link.post(PURCHASES, b"no gzip", headers={"Content-Encoding": "gzip"}), 400, "malformed")
    stands(took(kit.report(terminal, kit.sale(terminal)), accepted=1), 2, [])


@case(GROUP, "A key that is missing, unknown or misspelt is key_invalid", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    body = terminal.batch(kit.sale(terminal))
    refused(kit.link.post(PURCHASES, body, key=False), 401, "key_invalid")
    for text in ("Bearer kp_test_" + "0" * 43, "Bearer", "Basic a3A6", "kp_test_0"):
        refused(kit.link.post(PURCHASES, body, headers={"Authorization": text}), 401, "key_invalid")


@case(GROUP, "A terminal that is nobody's, or whose code is none, is not yours", source=SOURCE)
def _(kit: Kit) -> None:
    for code in (kit.new_terminal(sealed=False).code, "No Code", "", "a" * 64):
        refused(kit.link.post(PURCHASES, {"terminal": code, "purchases": []}), 403, "terminal_not_yours")


@case(GROUP, "A batch of more than 1,000 records or 1 MiB is too large, also when it was zipped", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    unused = [kit.unused(terminal) for _ in range(1001)]
    body = {"terminal": terminal.code, "purchases": unused}
    refused(kit.link.post(PURCHASES, body), 413, "batch_too_large")
    padded = b'{"terminal": "%b", "purchases": []}' % terminal.code.encode()
    for size in (LIMIT_BYTES + 1, 5 * LIMIT_BYTES):
        refused(kit.link.post(PURCHASES, padded.ljust(size)), 413, "batch_too_large")
    bomb = gzip.compress(padded.ljust(50 * LIMIT_BYTES))
    refused(kit.link.post(PURCHASES, bomb, headers={"Content-Encoding": "gzip"}), 413, "batch_too_large")
    took(kit.link.post(PURCHASES, padded.ljust(LIMIT_BYTES)), accepted=0)
    stands(took(kit.report(terminal, unused[0]), accepted=1), 2, [])


@case(GROUP, "Another media type or encoding is not supported", source=SOURCE)
def _(kit: Kit) -> None:
    terminal = kit.terminal()
    body = terminal.batch(kit.sale(terminal))
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/xml"}, {"Content-Encoding": "br"}):
        refused(kit.link.post(PURCHASES, body, headers=headers), 415, "unsupported_media_type")


@case(GROUP, "An address that is none and a method that is none are errors in JSON too", source=SOURCE)
def _(kit: Kit) -> None:
    refused(kit.link.get("/v1/no-such-thing"), 404, "not_found")
    refused(kit.link.send("DELETE", PURCHASES), 405, "method_not_allowed")


@case(GROUP, "Messages are in Japanese or English, as Accept-Language says", source=SOURCE)
def _(kit: Kit) -> None:
    messages = {
        language: refused(kit.link.post(PURCHASES, b"{", headers={"Accept-Language": language}), 400, "malformed")
        for language in ("ja", "en")
    }
    japanese, english = messages["ja"]["message"], messages["en"]["message"]
    true("a message in Japanese", any("\u3040" <= character <= "\u30ff" for character in japanese), japanese)
    true("a message in English", english.isascii(), english)
    terminal = kit.terminal()
    bad = kit.sale(terminal, lines=[{"tier": "no_such_tier", "amount": 1}])
    answer = kit.link.post(PURCHASES, terminal.batch(bad), headers={"Accept-Language": "ja"}).json
    message = answer["results"][0]["error"]["message"]
    true("a record's message in Japanese", any("\u3040" <= character <= "\u30ff" for character in message), message)


@case(GROUP, "Every request has a number of its own", source=SOURCE)
def _(kit: Kit) -> None:
    exchanges = [kit.link.get("/v1/keys", key=False) for _ in range(5)]
    equal("different Request-Ids", 5, len({exchange.request_id for exchange in exchanges}))


@case(
    GROUP,
    "The documentation explains an error at its doc_url, and the API to machines and people",
    source="Reading back, enrolling",
)
def _(kit: Kit) -> None:
    error = refused(kit.link.post(PURCHASES, b"{"), 400, "malformed")
    page = kit.link.page(error["doc_url"])
    equal("HTTP status of the doc_url", 200, page.status)
    true("a page that names the code", "malformed" in page.answered, page.answered[:200])
    equal("HTTP status of /v1/docs", 200, kit.link.page("/v1/docs").status)
    document: Any = kit.link.page("/v1/openapi.json").json
    true("OpenAPI 3.1", str(document.get("openapi", "")).startswith("3.1"), document.get("openapi"))
    missing = {PURCHASES, "/v1/terminals", "/v1/tiers", "/v1/keys", "/v1/test/cards"} - set(document.get("paths", {}))
    true("all addresses in it", not missing, sorted(missing))
