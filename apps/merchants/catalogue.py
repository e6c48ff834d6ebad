"""Every error of the POS API: its code, HTTP status (0 where it is one record's) and words in the reader's language."""

from typing import Final, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Entry(NamedTuple):
    """One error: `{value}` in the message is what was sent, `{reason}` what is wrong with it."""

    status: int
    message: Promise


CATALOGUE: Final[dict[str, Entry]] = {
    # A whole request
    "malformed": Entry(400, _("The request is not the JSON that this address takes: {reason}")),
    "key_invalid": Entry(401, _("The API key is missing, unknown or revoked. Send it as 'Authorization: Bearer kp_…'.")),
    "https_required": Entry(403, _("The API is spoken over https:// only. Nothing of the request was taken.")),
    "terminal_not_yours": Entry(403, _("The terminal {value!r} is not enrolled for this key's merchant and mode.")),
    "test_mode_only": Entry(403, _("This address is for test keys (kp_test_…) only.")),
    "scope_missing": Entry(403, _("The API key lacks the scope {value}. Use a key that has it, or ask for one.")),
    "merchant_not_yours": Entry(403, _("The merchant {value} has not authorised this key. A software maker's key names the merchant that it acts for.")),
    "enrolment_code_invalid": Entry(403, _("The one-time code is unknown, used or expired. Ask for a new one.")),
    "not_found": Entry(404, _("There is nothing at this address.")),
    "method_not_allowed": Entry(405, _("This address does not take that method.")),
    "batch_too_large": Entry(413, _("A batch has at most 1,000 records and 1 MiB after decompression. Send it in parts.")),
    "unsupported_media_type": Entry(415, _("Send application/json, as it is or with 'Content-Encoding: gzip'.")),
    "seal_missing": Entry(422, _("This terminal is enrolled with a key: its batches need a seal.")),
    "chain_broken": Entry(422, _("The batch does not continue the terminal's records. Go on from number {value}, and repeat known records exactly.")),
    "seal_mismatch": Entry(422, _("The seal does not fit the batch: {reason}.")),
    "rate_limited": Entry(429, _("More requests came than this key may send. Send the same again after {value} seconds.")),
    "unavailable": Entry(503, _("The service cannot answer now. Send the same again after Retry-After seconds: nothing is counted twice.")),
    # One record
    "seq_conflict": Entry(0, _("The number {value} was sent before with other content, which stands. Numbers are never used twice.")),
    "record_malformed": Entry(0, _("The record cannot be read: {reason}.")),
    "year_not_open": Entry(0, _("The tax year of {value} is not open.")),
    "year_closed": Entry(0, _("The filing deadline of {value} is over. The resident may dispute it in the portal.")),
    "from_the_future": Entry(0, _("{value} is more than 10 minutes ahead. Check the till's clock.")),
    "tier_unknown": Entry(0, _("No tier is called {value!r} in that year's scheme.")),
    "tier_not_in_force": Entry(0, _("The tier {value!r} had no rate on that day.")),
    "amount_invalid": Entry(0, _("The amount {value} is not from 1 to 1,000,000,000,000.")),
    "card_and_claim": Entry(0, _("A sale has a card or a claim, not both.")),
    # One terminal to enrol
    "terminal_invalid": Entry(0, _("The terminal cannot be enrolled: {reason}.")),
    "terminal_code_taken": Entry(0, _("The terminal code {value!r} is enrolled with other data, or by somebody else. Codes are never used twice: choose another.")),
    # Decided by workers, seen when records are read back
    "card_unknown": Entry(0, _("No card of ours was read.")),
    "cryptogram_wrong": Entry(0, _("The token does not prove a tap of a card at this terminal with this number.")),
    "card_not_valid": Entry(0, _("The card was not valid at the time of purchase.")),
    "return_exceeds_sale": Entry(0, _("More is returned than is left of the sale: {value}.")),
    "already_void": Entry(0, _("The record was voided before.")),
    "of_not_a_sale": Entry(0, _("A return names a sale; a void or a correction names a sale or a return of the same terminal.")),
    "card_suspended": Entry(0, _("The card was reported lost. Its holder confirms or denies the purchase.")),
    "card_replaced": Entry(0, _("The card had been replaced. Its holder confirms or denies the purchase.")),
    "card_cloned": Entry(0, _("The card's counter was used before: one of the two is a copy.")),
}  # fmt: skip


def error_object(code: str, *, param: str = "", value: str = "", reason: str = "") -> dict[str, str]:
    """The protocol's error object for a code of the catalogue, in the active language."""
    answer = {"code": code, "message": str(CATALOGUE[code].message).format(value=value, reason=reason)}
    if param:
        answer["param"] = param
    return answer | {"doc_url": f"/docs/errors#{code}"}
