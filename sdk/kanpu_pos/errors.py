"""The base of this library's errors; each of them stands beside the code that raises it."""


class KanpuPosError(Exception):
    """Anything that this library refuses or could not do."""
