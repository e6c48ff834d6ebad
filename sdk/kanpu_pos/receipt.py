"""What the customer gets: a receipt in Japanese or English, made without the network."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

import segno

from kanpu_pos.claims import grouped
from kanpu_pos.fields import Lines
from kanpu_pos.tiers import Tiers, money_text

Language: TypeAlias = Literal["ja", "en"]

_WORDS: Final = {
    "recorded": {
        "ja": "税の還付のために記録しました",
        "en": "Recorded for your tax refund",
    },
    "number": {"ja": "記録番号", "en": "Record"},
    "refund": {"ja": "還付の見込み（約）", "en": "Expected refund, about"},
    "card": {"ja": "カードで記録しました。", "en": "Recorded with your card."},
    "claim": {
        "ja": "ポータルで次の番号を入力するか、QRコードを読み取ると、一度だけご自分の記録にできます。",
        "en": "Enter this code in the portal, or scan it there, to make the purchase yours, once.",
    },
    "card_error": {"ja": "カードを読み取れませんでした。", "en": "The card could not be read."},
    "nobody": {"ja": "カードの提示はありませんでした。", "en": "No card was shown."},
}  # fmt: skip

_BLOCKS: Final = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """A sale that is durably recorded on this till.

    `claim_code` is there when the customer may claim it by code; show it to nobody else. `expected_refund_minor`
    is about what it gives back, or None while the tiers have never been fetched. `card_error` says why a claim
    code stands in for the card that was held up. `tiers` are those the till knew.
    """

    terminal: str
    seq: int
    at: datetime
    lines: Lines
    with_card: bool
    claim_code: str | None
    card_error: str | None
    expected_refund_minor: int | None
    tiers: Tiers | None

    def receipt_text(self, language: Language = "ja", *, paper: bool = True) -> str:
        """Return the text to print: number and time, lines per tier, the expected refund, a claim code and its QR.

        `paper` is as with `qr_text`.
        """
        parts = [
            _WORDS["recorded"][language],
            f"{_WORDS['number'][language]} {self.terminal} / {self.seq}  {self.at.isoformat(sep=' ')}",
            *(f"  {self._name(tier, language)}  {self._money(amount)}" for tier, amount in self.lines),
        ]
        if self.expected_refund_minor is not None:
            parts.append(f"{_WORDS['refund'][language]} {self._money(self.expected_refund_minor)}")
        return "\n".join([*parts, *self._payer(language, paper=paper)]) + "\n"

    def _payer(self, language: Language, *, paper: bool) -> list[str]:
        if self.claim_code is None:
            return [_WORDS["card" if self.with_card else "nobody"][language]]
        reason = [_WORDS["card_error"][language]] if self.card_error else []
        return [*reason, _WORDS["claim"][language], grouped(self.claim_code), qr_text(self.claim_code, paper=paper)]

    def _name(self, code: str, language: Language) -> str:
        tier = self.tiers.tiers.get(code) if self.tiers else None
        return (tier.names.get(language) if tier else None) or code

    def _money(self, amount_minor: int) -> str:
        return money_text(amount_minor, self.tiers) if self.tiers else f"{amount_minor:,}"


def qr_text(text: str, *, paper: bool = True) -> str:
    """Return a QR code of `text` drawn with block characters, two rows of it a line.

    On `paper` the blocks are ink; a screen that is light on dark needs them the other way round.
    """
    drawn = segno.make(text, micro=False, error="m").matrix_iter(border=2)
    rows = [[bool(dark) == paper for dark in row] for row in drawn]
    margin = [not paper] * len(rows[0])
    pairs = zip(rows[::2], [*rows[1::2], margin], strict=False)
    return "\n".join("".join(_BLOCKS[upper, lower] for upper, lower in zip(*pair, strict=True)) for pair in pairs)
