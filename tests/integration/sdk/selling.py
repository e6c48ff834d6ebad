"""A till's process, for tests that kill it: sells until its file has so many sales, sending all the while.

Prints `ready`, then each receipt as it is shown: the number and the amount. Run with the arguments of `main`.
"""

import random
import sqlite3
import sys
import time
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kanpu_pos import Client, Till, VirtualCard, VirtualReader

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def main(path: str, terminal: str, url: str, api_key: str, *card_and_sales: str) -> None:
    card_id, card_key, sales = card_and_sales
    client = Client(url, api_key, timeout_s=10)
    with Till(path, terminal=terminal, client=client) as till:
        till.use_key(KEY)
        reader = VirtualReader(client.keys())
        till.start()
        print("ready", flush=True)
        for _ in range(int(sales) - _sold(path)):
            amount = random.randint(1, 10**6)

            def token(code: str, seq: int) -> str:
                """A tap takes a while. The card's counter is the number, which no life of this till uses twice."""
                time.sleep(0.003)
                card = VirtualCard.from_hex(card_id, card_key, counter=seq)
                return reader.seal(card, terminal=code, seq=seq, now=datetime.now(UTC))

            print(till.sell((("reduced", amount),), card=random.choice([token, None])).seq, amount, flush=True)
        till.close_day()
        till.send()
    print("done", flush=True)


def _sold(path: str) -> int:
    with sqlite3.connect(path) as db:
        count: int = db.execute("SELECT count(*) FROM record WHERE kind = 'sale'").fetchone()[0]
    return count


if __name__ == "__main__":
    main(*sys.argv[1:])
