"""The municipal register: from its file, or by hand, into residents, the vault and households."""

from apps.residents.operations.importing.files import Table, import_table, register
from apps.residents.operations.importing.job import Report

__all__ = ["Report", "Table", "import_table", "register"]
