"""How fast a transfer file is written and read, in CPU seconds, and in how much memory."""

import resource
import time
from datetime import date
from pathlib import Path
from typing import Final

from apps.payouts.zengin.files import BankOptions, Sender, Transfer, write_file
from apps.payouts.zengin.reading import read_file

SENDER: Final = Sender("1234567890", "ｶｸｼ ｷﾖﾀｸ", "0001", "ﾐｽﾞﾎ", "004", "ﾏﾙﾉｳﾁﾁﾕｳｵｳ", "1", "7654321")


def measure(folder: Path, *, transfers: int) -> dict[str, int | float]:
    """Write a file of so many transfers and read it again."""
    path, day = folder / "transfers.txt", date(2026, 11, 30)
    made = (
        Transfer("9900", "ﾕｳﾁﾖ", "058", "ｾﾞﾛｺﾞﾊﾁ", "1", f"{number % 10**7:07}", "ｼﾞﾖﾝ.ｽﾐｽ", 4_000, f"2025{number:015}")
        for number in range(transfers)
    )
    begun_s = time.process_time()
    with path.open("wb") as file:
        write_file(file, SENDER, day, made, BankOptions())
    written_s = time.process_time()
    with path.open("rb") as file:
        records = sum(1 for _ in read_file(file))
    return {
        "transfers": transfers, "written_s": round(written_s - begun_s, 1), "records_read": records,
        "read_s": round(time.process_time() - written_s, 1),
        "most_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip
