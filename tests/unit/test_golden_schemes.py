"""Every signed-off case of every scheme, through the engine."""

import pytest

from tests.golden_play import GOLDEN, SHIPPED, Case, all_cases, play

CASES = all_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_case_is_refunded_as_signed_off(case: Case) -> None:
    assert play(case) == [(resident.refund_minor, resident.at_cap) for resident in case.residents]


def test_every_shipped_scheme_has_golden_cases() -> None:
    assert {path.stem for path in SHIPPED.glob("*.yaml")} <= {
        path.parent.name for path in GOLDEN.glob("*/refunds.yaml")
    }


def test_names_of_cases_are_told_apart() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
