"""What stops the second assessment."""

from apps.kernel.errors import KanpuError


class EntriesInvalid(KanpuError):
    """The archive has an entry that the scheme cannot assess. The text names the resident and the tier or the time."""

    code = "entries_invalid"


class RegisterInvalid(KanpuError):
    """The register says two things of a resident. The text names the resident and what is said twice."""

    code = "register_invalid"


class TooLarge(KanpuError):
    """Sums do not fit 128 bits: the rates have no common denominator that is small enough, or amounts are absurd."""

    code = "too_large"
