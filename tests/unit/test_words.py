"""What pages say: amounts as readers write them, the chart's geometry. Translations: test_translations."""

from decimal import Decimal
from fractions import Fraction

from django.utils import translation

from apps.kernel.rounding import ROUNDING_RULES
from apps.portal.charts import month_chart
from apps.refunds.templatetags.kanpu import money, percent
from apps.refunds.words import ROUNDINGS
from apps.schemes.operations import SHIPPED, read_scheme_file


def test_amounts_are_written_in_the_readers_way() -> None:
    yen, real = (read_scheme_file(SHIPPED / f"{code}.yaml") for code in ("jp-2015", "br-2027"))
    with translation.override("en"):
        assert [money(1234567, yen), money(-5, yen)] == ["¥1,234,567", "−¥5"]
        assert money(Fraction(10, 3), yen) == "¥3.3333…"
        assert [money(Fraction(5, 2), yen), money(Fraction(4000), yen)] == ["¥2.5", "¥4,000"]
        assert money(Fraction(1, 100_000), yen) == "¥0.0000…"
        assert [money(123456, real), money(Fraction(5, 2), real)] == ["BRL\xa01,234.56", "BRL\xa00.025"]
    with translation.override("ja"):
        assert [money(1234567, yen), money(Fraction(10, 3), yen)] == ["1,234,567円", "3.3333…円"]
    assert [percent(Decimal(rate)) for rate in ("0.10", "0.078", "0")] == ["10%", "7.8%", "0%"]
    assert set(ROUNDINGS) == set(ROUNDING_RULES)


def test_the_longest_bar_fills_the_chart_and_parts_join() -> None:
    chart = month_chart([(100, 50), (0, 0), (33, 33)])
    assert [(part.x, part.width) for part in chart.bars[0].segments] == [(44, 154), (198, 78)]
    assert chart.bars[1].segments == ()
    first, second = chart.bars[2].segments
    assert first.x + first.width == second.x
    assert [bar.total_minor for bar in chart.bars] == [150, 0, 66]
