"""What auditors keep: cases, merchants' returns and counts, samples."""

from apps.inspections.models.cases import Case, Source
from apps.inspections.models.declarations import Declaration
from apps.inspections.models.merchants import ALL, AmountCount, MerchantMonth, MerchantYear
from apps.inspections.models.samples import Method, Population, Result, Sample, SampleItem

__all__ = [
    "ALL",
    "AmountCount",
    "Case",
    "Declaration",
    "MerchantMonth",
    "MerchantYear",
    "Method",
    "Population",
    "Result",
    "Sample",
    "SampleItem",
    "Source",
]
