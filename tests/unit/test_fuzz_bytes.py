"""Readers of what comes from outside keep their promises for any bytes; `make fuzz-bytes` plays far more of them."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS


def mutated(seed: bytes, rng: random.Random) -> bytes:
    """A seed with some bytes changed, left out, doubled, or put in."""
    data = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.randint(1, 8)]
            case 2:
                data[at:at] = data[at : at + rng.randint(1, 40)]
            case _:
                data[at:at] = rng.choice(
                    [b"\x00", b'"', b"\n", b"\r", b",", b"\\ud800", b"-", b"0" * 20, b"\xff", b"1e9"]
                )
    return bytes(data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_the_seeds_keep_the_promises(name: str) -> None:
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", sorted(TARGETS))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_bytes_keep_the_promises(name: str, data: st.DataObject) -> None:
    seed, rng = data.draw(st.sampled_from(SEEDS[name])), data.draw(st.randoms(use_true_random=False))
    TARGETS[name](data.draw(st.one_of(st.binary(max_size=600), st.just(mutated(seed, rng)))))
