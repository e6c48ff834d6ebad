"""Recognising cards: from sealed tokens to a judgement and the card. Only where the private keys are."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import NamedTuple

from apps.residents.judging import CARD_UNKNOWN, CRYPTOGRAM_WRONG, CardRecord, Judgement, judge_card
from apps.residents.keyring import Keyring
from apps.residents.queries import cards_by_index, check_still_current
from apps.residents.tokens import (
    OpenedToken,
    TokenUnreadable,
    card_index,
    card_key_of,
    cryptogram_fits,
    extracted,
    open_token,
    token_context,
)


class SealedTap(NamedTuple):
    """A token as a till sent it, with what it is bound to and the till's mode. `day` is in the scheme's time zone."""

    token: str
    terminal_code: str
    seq: int
    at: datetime
    day: date
    mode: str


class Recognised(NamedTuple):
    """What became of a tap. `card` and `counter` are set when the card is known and the cryptogram its own."""

    judgement: Judgement
    card: CardRecord | None = None
    counter: int = 0


def recognise(keyring: Keyring, taps: Sequence[SealedTap]) -> list[Recognised]:
    """Open and judge tokens, in order: one query for all their cards.

    Raises KeyringOutdated when a token or its card may be unknown only because keys were changed meanwhile.
    """
    contexts = [token_context(tap.terminal_code, tap.seq) for tap in taps]
    opened = [_open(keyring, tap.token, context) for tap, context in zip(taps, contexts, strict=True)]
    indexes = [_indexes(keyring, token) for token in opened]
    found = cards_by_index({index for under_each_key in indexes for index in under_each_key})
    cards = [next(filter(None, map(found.get, tried)), None) for tried in indexes]
    if not all(card and (card.mode, card.issuer_version) in keyring.issuer for card in cards):
        check_still_current(keyring)
    ready = replace(keyring, issuer={name: extracted(key) for name, key in keyring.issuer.items()})
    return [_judge(ready, *seen) for seen in zip(taps, contexts, opened, cards, strict=True)]


def _indexes(keyring: Keyring, token: OpenedToken | None) -> list[bytes]:
    """What the card may be known by: under each key, as a card whose index is not made anew yet has the old one."""
    return [card_index(key, token.tap.card_id) for key in keyring.card_index.values()] if token else []


def _open(keyring: Keyring, token: str, context: bytes) -> OpenedToken | None:
    try:
        return open_token(token, context, keyring.sealing)
    except TokenUnreadable:
        return None


def _judge(
    keyring: Keyring, tap: SealedTap, context: bytes, token: OpenedToken | None, card: CardRecord | None
) -> Recognised:
    """The verdict on a tap; the keyring's issuer keys are extracted ones."""
    if token is None:
        return Recognised(CRYPTOGRAM_WRONG)
    if card is None or not card.mode == tap.mode == keyring.sealing_mode[token.key_id]:
        return Recognised(CARD_UNKNOWN)
    issuer_key = keyring.issuer.get((card.mode, card.issuer_version))  # None: retired by force, as no card may count
    if not issuer_key or not cryptogram_fits(token.tap, card_key_of(issuer_key, token.tap.card_id), context):
        return Recognised(CRYPTOGRAM_WRONG)
    return Recognised(judge_card(card, tap.at, tap.day), card, token.tap.counter)
