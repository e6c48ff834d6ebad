"""The cases, a module a group; importing them puts them on the list."""

from kanpu_pos.conformance.cases import (  # noqa: F401
    cards,
    catalogues,
    closings,
    duplicates,
    enrolling,
    errors,
    kinds,
    offline,
    reading,
    records,
    seals,
    till,
)
