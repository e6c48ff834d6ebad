"""What is sealed opens in its place with its key and nowhere else, and is found by nobody without the index key."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.residents.vault.contents import folded, person_key
from apps.residents.vault.keys import (
    VaultKeys,
    VaultKeysMissing,
    VaultKeysOutdated,
    new_vault_keys_content,
    read_vault_keys,
    vault_keys_of,
)
from apps.residents.vault.sealing import Place, VaultDamaged, keyed_index, keyed_indexes, seal, unseal

KEYS = VaultKeys({1: b"1" * 32}, {1: b"i" * 32})
PLACE = Place("residents_vaultrecord", "address", "row")


@given(st.binary(max_size=300))
def test_a_sealed_value_opens_in_its_place_and_tells_nothing(plain: bytes) -> None:
    sealed = seal(KEYS, PLACE, plain)
    assert unseal(KEYS, PLACE, sealed) == plain
    assert sealed != seal(KEYS, PLACE, plain)
    assert len(plain) < 4 or plain not in sealed


@pytest.mark.parametrize("elsewhere", [{"table": "other"}, {"column": "person"}, {"row": "another"}])
def test_a_value_that_was_moved_does_not_open(elsewhere: dict[str, str]) -> None:
    with pytest.raises(VaultDamaged, match="altered, or belongs elsewhere"):
        unseal(KEYS, PLACE._replace(**elsewhere), seal(KEYS, PLACE, b"Setagaya 1-2-3"))


@given(st.integers(0, 8 * (2 + 12 + 14 + 16) - 1))
def test_a_value_with_one_flipped_bit_does_not_open(bit: int) -> None:
    sealed = bytearray(seal(KEYS, PLACE, b"Setagaya 1-2-3"))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((VaultDamaged, VaultKeysOutdated)):
        unseal(KEYS, PLACE, bytes(sealed))


def test_old_values_open_while_their_key_is_there_and_a_missing_one_is_named() -> None:
    sealed = seal(KEYS, PLACE, b"old")
    both = replace(KEYS, sealing={**KEYS.sealing, 2: b"2" * 32})
    assert unseal(both, PLACE, sealed) == b"old"
    assert seal(both, PLACE, b"new")[:2] == b"\x00\x02"
    with pytest.raises(VaultKeysOutdated, match="vault key 1 is missing"):
        unseal(replace(KEYS, sealing={2: b"2" * 32}), PLACE, sealed)
    with pytest.raises(VaultDamaged):
        unseal(replace(KEYS, sealing={1: b"x" * 32}), PLACE, sealed)


def test_an_index_depends_on_its_key_and_its_column() -> None:
    both = replace(KEYS, indexing={**KEYS.indexing, 2: b"j" * 32})
    old = keyed_index(KEYS, "individual_number", "983205673214")
    assert keyed_indexes(both, "individual_number", "983205673214") == [
        old,
        keyed_index(both, "individual_number", "983205673214"),
    ]
    assert old != keyed_index(KEYS, "resident_code", "983205673214")


def test_damaged_or_missing_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(VaultKeysMissing, match="cannot be read"):
        read_vault_keys(tmp_path / "none.json")
    content = new_vault_keys_content()
    assert vault_keys_of(json.dumps(content)).newest == 1
    short = content | {"indexing": [{"version": 1, "key": "00"}]}
    for damaged in ("", "{}", json.dumps(content | {"sealing": []}), json.dumps(short)):
        with pytest.raises(VaultKeysMissing):
            vault_keys_of(damaged)


def test_a_file_that_was_brought_up_to_date_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "vault.json"
    content = new_vault_keys_content()
    path.write_text(json.dumps(content))
    assert read_vault_keys(path).newest == 1
    content["sealing"].append({"version": 2, "key": "22" * 32})
    path.write_text(json.dumps(content))
    assert read_vault_keys(path).newest == 2


def test_a_person_is_found_however_the_name_is_spaced_or_typed() -> None:
    born = date(1980, 2, 3)
    typed = ("ヤマダ　タロウ", "やまだ たろう", "ﾔﾏﾀﾞﾀﾛｳ", "ヤマダ・タロウ")
    assert {person_key(name, born) for name in typed} == {person_key("ヤマダタロウ", born)}
    assert folded("John O'Neil-Smith") == folded("JOHN ONEIL SMITH")
    assert folded("ハア") != folded("パア")
