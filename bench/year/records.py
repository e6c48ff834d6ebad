"""A record's bytes and its line, as the till's library writes them, only without its checks: a test compares both."""

from typing import NamedTuple

from bench.year.purchases import Amounts


class Written(NamedTuple):
    """A record as it is sent, and its canonical line."""

    sent: bytes
    line: str


def sale(seq: int, at: str, token: str, amounts: Amounts) -> Written:
    """A sale with a card's token."""
    lines, sums = _lines(amounts)
    sent = f'{{"seq":{seq},"at":"{at}","card":"{token}","lines":[{lines}]}}'
    return Written(sent.encode(), f"{seq}\n{at}\nsale\n{token}\n-\n{sums}")


def returned(seq: int, at: str, of: tuple[str, int], amounts: Amounts) -> Written:
    """A return of some of a sale's goods; `of` is the sale's (terminal, seq)."""
    lines, sums = _lines(amounts)
    sent = f'{{"seq":{seq},"at":"{at}","kind":"return","of":{_of(of)},"lines":[{lines}]}}'
    return Written(sent.encode(), f"{seq}\n{at}\nreturn\n-\n{of[0]}:{of[1]}\n{sums}")


def void(seq: int, at: str, of: tuple[str, int]) -> Written:
    """A void of a sale of the same terminal."""
    sent = f'{{"seq":{seq},"at":"{at}","kind":"void","of":{_of(of)}}}'
    return Written(sent.encode(), f"{seq}\n{at}\nvoid\n-\n{of[0]}:{of[1]}\n")


def _of(of: tuple[str, int]) -> str:
    return f'{{"terminal":"{of[0]}","seq":{of[1]}}}'


def _lines(amounts: Amounts) -> tuple[str, str]:
    lines = ",".join([f'{{"tier":"{tier}","amount":{amount}}}' for tier, amount in amounts])
    return lines, ",".join([f"{tier}={amount}" for tier, amount in amounts])
