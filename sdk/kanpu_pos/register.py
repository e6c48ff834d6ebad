"""Recording on a till: every kind of record, durable in the till's file before anyone is told. No network."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from kanpu_pos.booking import booked, enter
from kanpu_pos.card import VirtualCard
from kanpu_pos.claims import claim_code, claim_hash, new_claim
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.fields import Lines, Of, check_lines, check_of, check_seq, check_year, parse_time, time_text
from kanpu_pos.reader import NoSealingKey, VirtualReader
from kanpu_pos.receipt import Sold
from kanpu_pos.records import Closing, Correction, Return, Sale, Unused, Void
from kanpu_pos.store import Row, Store
from kanpu_pos.tiers import DEFAULT_TIME_ZONE, Tiers, expected_refund_minor, tax_year

CardReader: TypeAlias = Callable[[str, int], str]  # (terminal, seq) -> token; may raise NoSealingKey

FAR_AHEAD: Final = date.max


class TillError(KanpuPosError):
    """The till refuses. `code` is for programs; the message says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class Register:
    """What a till can record, in its file. Threads may share it."""

    def __init__(self, store: Store, terminal: str) -> None:
        """Record in `store` for `terminal`. A number that a crash left without a record becomes unused."""
        self._lock = threading.RLock()
        self._store, self._terminal = store, terminal
        with store.transaction():
            self._abandon_reserved()

    @property
    def terminal(self) -> str:
        """The terminal's code."""
        return self._terminal

    def sell(
        self,
        lines: Lines,
        *,
        card: VirtualCard | CardReader | str | None = None,
        claim: bool = False,
        at: datetime | str | None = None,
        seq: int | None = None,
    ) -> Sold:
        """Record a sale: pairs of tier and amount in minor units, tax included.

        `card` is a virtual card; or a reader, called with (terminal, seq), that returns a token; or a token that was
        sealed for the reserved number `seq`. Without a card, `claim` puts a code on the receipt with which its holder
        claims the purchase. When no sealing key is usable, the card is not read and a code stands in for it: see
        `card_error`. `at` is now by default. Raises FieldError, TillError `seq_not_reserved`, and what a reader raises:
        the number it was called with is then reported as unused.
        """
        check_lines(lines)
        at = time_text(at or self._now(), param="at")
        with self._lock:
            seq, token, card_error = self._card_read(card, seq)
            secret = new_claim() if token is None and (claim or card_error) else None
            with self._store.transaction():
                if seq is None:
                    self._abandon_reserved()
                    seq = self._store.next_seq()
                sale = Sale(seq=seq, at=at, lines=lines, card=token, claim=claim_hash(secret) if secret else None)
                enter(
                    self._store, sale, terminal=self._terminal, zone=self._zone(), claim=secret, card_error=card_error
                )
            self._wake()
            return self.receipt(seq)

    def reserve(self) -> int:
        """Spend the next number on a sale whose card is to be read: the token is bound to it.

        An earlier reservation that was not used is reported as unused, and so is this one when any other record
        comes before its sale.
        """
        with self._lock, self._store.transaction():
            self._abandon_reserved()
            return self._store.reserve()

    def unused(self, seq: int, *, at: datetime | None = None) -> int:
        """Record that the sale of a reserved number was abandoned. Raises TillError `seq_not_reserved`."""
        with self._lock, self._store.transaction():
            self._check_reserved(seq)
            self._abandon_reserved(at)
        self._wake()
        return seq

    def return_goods(self, of: Of, lines: Lines, *, at: datetime | str | None = None) -> int:
        """Record goods of the sale `of` (terminal, seq) that came back; returns the record's number.

        Whether they fit the sale is decided by the server. Raises FieldError, TillError `record_unknown`,
        `not_a_sale`, `already_void`.
        """
        check_of(of)
        own_seq = of[1] if of[0] == self._terminal else None
        return self._follow(own_seq, lambda seq, now: Return(seq=seq, at=at or now, of=of, lines=lines), (1,))

    def void(self, of_seq: int, *, at: datetime | str | None = None) -> int:
        """Take what is left of this till's sale or return `of_seq`; returns the record's number.

        Raises TillError `record_unknown`, `not_a_sale`, `already_void`.
        """
        of = (self._terminal, of_seq)
        check_of(of)
        return self._follow(of_seq, lambda seq, now: Void(seq=seq, at=at or now, of=of))

    def correct(
        self, of_seq: int, lines: Lines, *, sold_at: datetime | str | None = None, at: datetime | str | None = None
    ) -> int:
        """Give all lines of this till's sale or return `of_seq` as they should be; `sold_at` mends a wrong clock.

        Raises FieldError, TillError `record_unknown`, `not_a_sale`, `already_void`.
        """
        of = (self._terminal, of_seq)
        check_of(of)
        return self._follow(
            of_seq, lambda seq, now: Correction(seq=seq, at=at or now, of=of, lines=lines, sold_at=sold_at)
        )

    def close_day(self, year: int | None = None, *, at: datetime | str | None = None) -> Closing:
        """Record the day's closing with the own totals of a tax year, by default this one's; once a day.

        The codes on earlier receipts are forgotten: who reads the file later cannot claim with them.
        """
        year = tax_year(self._now(), self._zone()) if year is None else year
        check_year(year)
        with self._lock, self._store.transaction():
            self._abandon_reserved()
            seq, totals = self._store.next_seq(), self._store.totals(year)
            closing = Closing(seq=seq, at=time_text(at or self._now(), param="at"), year=year, totals=totals)
            enter(self._store, closing, terminal=self._terminal, zone=self._zone())
            self._store.forget_claims()
        self._wake()
        return closing

    def receipt(self, seq: int) -> Sold:
        """Return a sale of this till for its receipt. Raises TillError `record_unknown` or `not_a_sale`."""
        check_seq(seq)
        with self._lock:
            row = self._store.row(seq)
            if row is None:
                raise TillError("record_unknown", f"this till has no record {seq}")
            return self._sold(row)

    def _follow(
        self,
        own_seq: int | None,
        made: Callable[[int, datetime], Return | Void | Correction],
        signs: tuple[int, ...] = (1, -1),
    ) -> int:
        """Record what `made(seq, now)` returns. The own record it is about must stand, with one of `signs`."""
        with self._lock, self._store.transaction():
            if own_seq is not None:
                self._check_stands(own_seq, signs)
            self._abandon_reserved()
            record = made(self._store.next_seq(), self._now())
            enter(self._store, record, terminal=self._terminal, zone=self._zone())
        self._wake()
        return record.seq

    def _check_stands(self, seq: int, signs: tuple[int, ...]) -> None:
        if self._store.row(seq) is None:
            raise TillError("record_unknown", f"this till has no record {seq}")
        about = booked(self._store, seq)
        if about is None or about.sign not in signs:
            raise TillError("not_a_sale", f"record {seq} is no {'sale' if len(signs) == 1 else 'sale or return'}")
        if about.voided:
            raise TillError("already_void", f"record {seq} is void already")

    def _check_reserved(self, seq: int | None) -> None:
        if seq is None or self._store.reserved() != seq:
            raise TillError("seq_not_reserved", f"the number {seq} is not reserved, or another record came since")

    def _abandon_reserved(self, at: datetime | None = None) -> None:
        """Record a number whose sale never came as unused."""
        seq = self._store.reserved()
        if seq is not None:
            enter(self._store, Unused(seq=seq, at=at or self._now()), terminal=self._terminal, zone=self._zone())

    def _card_read(
        self, card: VirtualCard | CardReader | str | None, seq: int | None
    ) -> tuple[int | None, str | None, str | None]:
        """Return the number that was reserved, the token, and why there is none though a card was there."""
        if isinstance(card, str) or seq is not None:
            self._check_reserved(seq)
            return seq, card if isinstance(card, str) else None, None
        if card is None:
            return None, None, None
        seq = self.reserve()
        try:
            if isinstance(card, VirtualCard):
                return seq, self._reader().seal(card, terminal=self._terminal, seq=seq, now=datetime.now(UTC)), None
            return seq, card(self._terminal, seq), None
        except NoSealingKey as error:
            return seq, None, str(error)

    def _sold(self, row: Row) -> Sold:
        sale = row.record
        if not isinstance(sale, Sale):
            raise TillError("not_a_sale", f"record {row.seq} is a {sale.kind}, which has no receipt")
        at = parse_time(sale.at_text, param="at")
        tiers = self._tiers(at.astimezone(self._zone()).date())
        return Sold(
            terminal=self._terminal,
            seq=row.seq,
            at=at,
            lines=sale.lines,
            with_card=sale.card is not None,
            claim_code=claim_code(row.claim) if row.claim else None,
            card_error=row.card_error,
            expected_refund_minor=expected_refund_minor(sale.lines, tiers) if tiers else None,
            tiers=tiers,
        )

    def _reader(self) -> VirtualReader:
        return VirtualReader(json.loads(self._store.setting("keys") or b"[]"))

    def _tiers(self, on: date) -> Tiers | None:
        document = self._store.tiers_on(on.isoformat())
        return _parsed_tiers(document) if document else None

    def _zone(self) -> ZoneInfo:
        """The scheme's time zone, by the newest tiers this till has."""
        tiers = self._tiers(FAR_AHEAD)
        return tiers.zone if tiers else ZoneInfo(DEFAULT_TIME_ZONE)

    def _now(self) -> datetime:
        return datetime.now(self._zone()).replace(microsecond=0)

    def _wake(self) -> None:
        """Called after each record."""


_parsed_tiers = lru_cache(maxsize=8)(Tiers.from_json)
