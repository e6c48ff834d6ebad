"""The stylesheet: a rule that is not closed takes all rules after it along, and no browser complains."""

from pathlib import Path

from django.conf import settings


def test_every_rule_is_closed_where_the_next_begins() -> None:
    depth = 0
    for number, row in enumerate(Path(settings.BASE_DIR, "config/static/kanpu.css").read_text().splitlines(), 1):
        assert depth == 0 or row.startswith((" ", "}")) or not row, f"line {number}: the rule before is not closed"
        depth += row.count("{") - row.count("}")
    assert depth == 0
