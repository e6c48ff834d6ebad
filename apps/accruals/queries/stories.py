"""One purchase of a resident: what became of it, step by step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection

from apps.accruals.answers import asks
from apps.accruals.models import TEST_RUN, Entry, Withheld
from apps.accruals.queries.shown import Named, named_tiers, shop_of
from apps.accruals.searching import Booked, Folded, Standing, folded, withheld_standing
from apps.kernel.database import Cursor, raw_connection
from apps.merchants.queries import StoreName
from apps.purchases.following import Amounts, Fate, Followed, Key, kind_of
from apps.purchases.followups import Thread, read_threads
from apps.purchases.queries import rules_of
from apps.purchases.records import instant_of, read_line
from apps.purchases.rulings import Ruling, follow_ruled
from apps.schemes.document import Scheme
from apps.schemes.models import TaxYear
from apps.schemes.queries import open_years, scheme_of

ON_ACCOUNT: Final = (Standing.COUNTED, Standing.CORRECTED)


class Happened(NamedTuple):
    """A step: a record of a till, at the time that the till gave it, or a ruling of the refund office.

    `tiers` are the amounts of a record or of an amendment, in minor units; of `status` and `code` see the protocol:
    what became of a record, or why a ruling takes the purchase off the account. `of_return`: it voids or corrects a
    return.
    """

    at: datetime
    kind: str
    tiers: Named
    status: str = ""
    code: str = ""
    of_return: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """A purchase as it stands, and its steps by time. `code` is why it does not count, `answer` what was said of it.

    `left` is what is left of it, in minor units by tier. `is_open`: something that a shop sent about it is not booked
    yet. `asks`: the resident may say, or say again, whether it is theirs.
    """

    terminal_id: int
    seq: int
    tax_year: int
    at: datetime
    shop: StoreName | None
    scheme: Scheme
    standing: Standing
    code: str
    answer: str
    left: Amounts
    steps: tuple[Happened, ...]
    is_open: bool
    asks: bool
    can_be_withdrawn: bool

    @property
    def tiers(self) -> Named:
        """What is left, with the tiers' names."""
        return named_tiers(self.scheme, self.left)

    @property
    def total_minor(self) -> int:
        """All tiers together."""
        return sum(self.left.values())

    @property
    def name(self) -> str:
        """What a form names the purchase by."""
        return f"{self.terminal_id}-{self.seq}"

    @property
    def counts(self) -> bool:
        """Whether it is on the account."""
        return self.standing in ON_ACCOUNT


def story_of(resident_ref: UUID, terminal_id: int, seq: int) -> Story | None:
    """One purchase of the resident's, counted or withheld, or None when they have no such one: some ten queries."""
    key, named = Key(terminal_id, seq), {"resident_ref": resident_ref, "terminal_id": terminal_id, "seq": seq}
    kept = Withheld.objects.filter(**named).first()
    sale = Entry.objects.filter(**named, kind="sale").first()
    if sale is None and (kept is None or kept.status == "counted"):
        return None
    with connection.cursor(), Cursor(raw_connection()) as cursor:
        thread = read_threads(cursor, [key])[key]
    years = {year.year: year for year in TaxYear.objects.order_by("year")}
    followed = _followed(thread, list(years.values()))
    stands = _stands(kept, _entries(resident_ref, thread), followed)
    year = years[stands.tax_year]
    scheme = scheme_of(year.scheme_version_id)
    return Story(
        terminal_id,
        seq,
        stands.tax_year,
        stands.at,
        shop_of(resident_ref, key),
        scheme,
        stands.standing,
        code=_code(kept, thread) if stands.standing not in ON_ACCOUNT else "",
        answer=kept.answer if kept else "",
        left=stands.left,
        steps=tuple(sorted(_steps(thread, followed, scheme, stands.at), key=lambda step: step.at)),
        is_open=bool(followed and stands.standing in ON_ACCOUNT and dict(followed.left) != stands.left),
        asks=kept is not None and asks(kept.code, kept.answer),
        can_be_withdrawn=sale is None or sale.run in (TEST_RUN, years[sale.tax_year].open_run),
    )


def _followed(thread: Thread, years: Sequence[TaxYear]) -> Followed | None:
    """What comes of the sale as tills sent it, and what became of each record; None when it is not there to be read."""
    if thread.original is None:
        return None
    rows = [(y.year, y.scheme_version_id, y.starts_at, y.ends_at, y.deadline_at) for y in years]
    return follow_ruled(thread.original, thread.followers, thread.rulings, rules_of(open_years(rows)))


def _entries(resident_ref: UUID, thread: Thread) -> list[Booked]:
    """All entries of the resident's that belong to a sale: they stand under the numbers of what caused them."""
    keys = {thread.key, *(follower.key for follower in (*thread.followers, *thread.rulings))}
    rows = Entry.objects.filter(
        resident_ref=resident_ref, terminal_id__in={k.terminal_id for k in keys}, seq__in={k.seq for k in keys}
    ).values_list("terminal_id", "seq", *Booked._fields)
    return [Booked(*rest) for terminal_id, seq, *rest in rows if Key(terminal_id, seq) in keys]


def _stands(kept: Withheld | None, entries: Sequence[Booked], followed: Followed | None) -> Folded:
    if kept is None or kept.status == "counted":
        return folded(entries)
    left = dict(followed.left) if followed else {}
    return Folded(kept.tax_year, kept.at, withheld_standing(kept.status, kept.code), left, is_listed=True)


def _code(kept: Withheld | None, thread: Thread) -> str:
    """Why a purchase is not on the account."""
    about_account = (ruling.code for ruling in reversed(thread.rulings) if kind_of(ruling) != Ruling.AMEND)
    return kept.code if kept else next(about_account, "")


def _steps(thread: Thread, followed: Followed | None, scheme: Scheme, sold_at: datetime) -> Iterator[Happened]:
    if thread.original and followed:
        yield _sent(thread.original.line, followed.fates.get(thread.key), scheme, sold_at)
        for follower in thread.followers:
            step = _sent(follower.line, followed.fates.get(follower.key), scheme, follower.received_at)
            yield step._replace(of_return=follower.of != thread.key)
    for ruling in thread.rulings:
        kind = kind_of(ruling)
        amounts = read_line(ruling.line).amounts if kind == Ruling.AMEND else {}
        yield Happened(ruling.received_at, kind, named_tiers(scheme, amounts), code=ruling.code)


def _sent(line: str, fate: Fate | None, scheme: Scheme, otherwise_at: datetime) -> Happened:
    """What a till sent; `otherwise_at` stands for a time that cannot be read."""
    read = read_line(line)
    status, code = (fate.status, fate.code) if fate else ("", "")
    return Happened(instant_of(read.at) or otherwise_at, read.kind, named_tiers(scheme, read.amounts), status, code)
