"""Writing transfer files: one header, a record for each transfer, a trailer that adds up, an end. Pure."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import IO, Final, NamedTuple

from apps.kernel.errors import KanpuError
from apps.payouts.zengin.layout import DATA, END, HEADER, TRAILER, render

MOST_TRANSFERS: Final = 999_999  # the trailer counts with six digits
MOST_SUM_YEN: Final = 999_999_999_999
MOST_YEN: Final = 9_999_999_999
LINE_ENDS: Final = {"crlf": b"\r\n", "lf": b"\n", "none": b""}
END_OF_FILE: Final = b"\x1a"


class FileRefused(KanpuError):
    """A file cannot hold these transfers."""

    code = "file_refused"


@dataclass(frozen=True, slots=True)
class BankOptions:
    """What banks want differently: the end of lines, zeros or spaces for the clearing house, a mark at the end."""

    line_end: str = "crlf"
    clearing_house: str = "0000"
    has_end_mark: bool = False


class Sender(NamedTuple):
    """Who sends, in banks' characters: the code that the bank gave, name, bank, branch and account."""

    code: str
    name: str
    bank: str
    bank_name: str
    branch: str
    branch_name: str
    account_type: str
    account_number: str


class Transfer(NamedTuple):
    """One transfer, in banks' characters. `reference` is ours, up to 20 digits and capital letters."""

    bank: str
    bank_name: str
    branch: str
    branch_name: str
    account_type: str
    account_number: str
    recipient: str
    amount_yen: int
    reference: str


class Manifest(NamedTuple):
    """What a file holds: two people approve this."""

    transfers: int
    sum_yen: int
    sha256: str


def write_file(
    out: IO[bytes], sender: Sender, day: date, transfers: Iterable[Transfer], options: BankOptions
) -> Manifest:
    """Write a file, transfer by transfer. Raises FieldRefused and FileRefused; drop then what was written."""
    end, digest = LINE_ENDS[options.line_end], hashlib.sha256()
    count = sum_yen = 0

    def put(record: bytes) -> None:
        digest.update(record)
        out.write(record)

    put(header_record(sender, day) + end)
    for transfer in transfers:
        count, sum_yen = count + 1, sum_yen + transfer.amount_yen
        put(data_record(transfer, options.clearing_house) + end)
    if not 0 < count <= MOST_TRANSFERS or sum_yen > MOST_SUM_YEN:
        raise FileRefused(
            f"{count} transfers of {sum_yen} yen do not go into one file: from 1 to {MOST_TRANSFERS} do,"
            f" of up to {MOST_SUM_YEN} yen together."
        )
    put(render(TRAILER, {"count": count, "sum": sum_yen}) + end)
    put(render(END, {}) + end + (END_OF_FILE if options.has_end_mark else b""))
    return Manifest(count, sum_yen, digest.hexdigest())


def header_record(sender: Sender, day: date) -> bytes:
    """The header, without a line's end. Raises FieldRefused."""
    values = sender._asdict()
    return render(HEADER, values | {"sender_code": sender.code, "sender_name": sender.name, "date": f"{day:%m%d}"})


def data_record(transfer: Transfer, clearing_house: str, result: str = "") -> bytes:
    """A transfer's record, without a line's end; `result` in result files. Raises FieldRefused and FileRefused."""
    if not 0 < transfer.amount_yen <= MOST_YEN:
        raise FileRefused(f"{transfer.amount_yen} yen cannot be transferred: from 1 to {MOST_YEN} can.")
    return render(
        DATA,
        transfer._asdict()
        | {
            "clearing_house": clearing_house, "amount": transfer.amount_yen, "new_code": "0",
            "customer_code_1": transfer.reference[:10], "customer_code_2": transfer.reference[10:],
            "transfer_type": "7", "identification": "", "result": result,
        },
    )  # fmt: skip
