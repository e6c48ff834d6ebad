"""The chain of a terminal's records and the seals of its batches."""

import json
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from kanpu_pos import base64url
from kanpu_pos.batch import MAX_BODY_BYTES, split
from kanpu_pos.records import Record, line
from kanpu_pos.seal import Seal, digest_0, digests, extended, sign

from .test_batch import padded
from .test_kinds import records

TERMINAL = "tokyo-0001-03"


@given(st.lists(records, max_size=10))
def test_each_digest_covers_all_that_came_before(some: list[Record]) -> None:
    digest = sha256(b"kanpu chain v1\ntokyo-0001-03").digest()
    assert digest_0(TERMINAL) == digest
    lines = [line(record) for record in some]
    for text, found in zip(lines, digests(digest_0(TERMINAL), lines), strict=True):
        digest = sha256(digest + text.encode()).digest()
        assert found == digest


@given(st.lists(st.text(), min_size=2, max_size=6), st.data())
def test_a_lost_swapped_or_changed_record_changes_the_head(lines: list[str], data: st.DataObject) -> None:
    head = list(digests(digest_0(TERMINAL), lines))[-1]
    at = data.draw(st.integers(0, len(lines) - 1))
    changes = [lines[:at] + lines[at + 1 :], [*lines[:at], lines[at] + "x", *lines[at + 1 :]]]
    if at and lines[at] != lines[at - 1]:
        changes.append([*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]])
    for changed in changes:
        assert [digest_0(TERMINAL), *digests(digest_0(TERMINAL), changed)][-1] != head


def test_a_seal_is_signed_over_the_head_itself() -> None:
    key = Ed25519PrivateKey.generate()
    head = extended(digest_0(TERMINAL), "x")
    seal = sign(key, head)
    key.public_key().verify(seal.signature, head)
    assert json.loads(seal.to_json()) == {
        "head": base64url.encode(head),
        "signature": base64url.encode(seal.signature),
    }


@given(st.lists(st.integers(8, 400_000), min_size=1, max_size=30))
def test_each_batch_bears_the_seal_after_its_last_record_within_the_limit(sizes: list[int]) -> None:
    stored = [padded(size) for size in sizes]
    seals = [Seal(sha256(bytes([index])).digest(), bytes(64)) for index in range(len(sizes))]
    for batch in split(TERMINAL, stored, seal_at=seals.__getitem__):
        last = batch.first_index + batch.count - 1
        assert json.loads(batch.body)["seal"] == json.loads(seals[last].to_json())
        assert list(json.loads(batch.body)) == ["terminal", "purchases", "seal"]
        assert len(batch.body) <= MAX_BODY_BYTES
