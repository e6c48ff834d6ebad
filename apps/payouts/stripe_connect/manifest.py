"""What two people approve of a batch for Stripe: a file with a line for each payment, the same bytes for the same rows.

JSON in UTF-8, one object a line, names in order, no spaces, LF: the batch first, then each payment with the account in
the clear, at last count and sum. It is kept and deleted as a file for a bank is. Pure.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final

import msgspec

from apps.kernel.errors import KanpuError
from apps.payouts.zengin.files import Manifest
from apps.residents.vault.contents import Account

KINDS: Final = {"1": "futsu", "2": "toza"}  # ordinary and current, as Stripe calls them in Japan
CURRENCY: Final = "jpy"
encode = msgspec.json.Encoder(order="sorted").encode


class AccountKindRefused(KanpuError):
    """Stripe pays to no account of this kind."""

    code = "account_kind_refused"


class Instruction(msgspec.Struct, frozen=True):
    """One payment: to which account, in the characters that it is written with."""

    reference: str
    amount: int
    account_id: str
    bank: str
    branch: str
    kind: str
    number: str
    holder: str


def instruction(reference: str, amount: int, account_id: str, account: Account) -> Instruction:
    """A payment to an account. Raises AccountKindRefused for savings accounts (貯蓄), which Stripe does not know."""
    if account.type not in KINDS:
        raise AccountKindRefused("Stripe pays to ordinary and current accounts only: pay it through a bank.")
    return Instruction(
        reference, amount, account_id, account.bank, account.branch, KINDS[account.type], account.number, account.holder
    )


def write_manifest(out: IO[bytes], head: dict[str, Any], payments: Iterable[Instruction]) -> Manifest:
    """Write the file; `head` says of which batch. Returns count, sum and SHA-256."""
    digest, count, total = hashlib.sha256(), 0, 0

    def put(line: object) -> None:
        raw = encode(line) + b"\n"
        digest.update(raw)
        out.write(raw)

    put(head | {"currency": CURRENCY, "rail": "stripe"})
    for one in payments:
        put(one)
        count, total = count + 1, total + one.amount
    put({"sum": total, "transfers": count})
    return Manifest(count, total, digest.hexdigest())


def read_manifest(file: IO[bytes]) -> Iterator[Instruction]:
    """The payments of a file that `write_manifest` wrote, and whose hash was compared."""
    decode = msgspec.json.Decoder(Instruction).decode
    next(file)
    held = next(file)
    for line in file:  # the last one is no payment
        yield decode(held)
        held = line
