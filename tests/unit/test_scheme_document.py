from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.schemes.document import digest
from apps.schemes.reading import SchemeInvalid, read_scheme

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "apps/schemes/files/jp-2015.yaml").read_text()


def broken(place: list[Any], value: Any) -> Any:
    content = deepcopy(yaml.safe_load(TEXT))
    inner = content
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return content


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (["tiers", 0, "code"], "Food", "tiers"),
        (["tiers", 1, "code"], "reduced", "stands twice"),
        (["tiers", 0, "rates", 0, "rate"], "1.0", "from 0 to below 1"),
        (["tiers", 0, "rates", 0, "rate"], "0.0000001", "6 decimals"),
        (["tiers", 0, "rates", 0, "from"], date(2015, 1, 2), "first of a month"),
        (["tiers", 0, "rates"], [], "rates"),
        (["tiers", 0, "rates", 0, "from"], date(2014, 1, 1), "no rate is collected before"),
        (["tiers", 0, "rates", 0, "rate"], "nan", "from 0 to below 1"),
        (["tiers", 0, "code"], "reduced\n", "tiers"),
        (["time_zone"], "posix/Asia/Tokyo", "no time zone"),
        (["collected"], [{"from": date(2017, 1, 1), "rate": "0"}, {"from": date(2016, 1, 1), "rate": "0"}], "ascend"),
        (["tiers", 0, "rates", 0, "rate"], "0.12", "above the rate collected"),
        (["time_zone"], "Asia/Edo", "no time zone"),
        (["filing_deadline"], "02-30", "no day of every year"),
        (["refund", "rounding"], "bankers", "no rounding rule"),
        (["refund", "basis"], "magic", "basis"),
        (["surprise"], 1, "surprise"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named(place: list[Any], value: Any, said: str) -> None:
    with pytest.raises(SchemeInvalid, match=said):
        read_scheme(broken(place, value))


def test_comments_and_layout_make_no_new_version_and_a_rate_does() -> None:
    scheme = read_scheme(yaml.safe_load(TEXT))
    commented = read_scheme(yaml.safe_load("# another comment\n" + TEXT))
    changed = read_scheme(broken(["tiers", 0, "rates", 0, "rate"], "0.05"))
    assert digest(scheme) == digest(commented)
    assert digest(scheme) != digest(changed)
