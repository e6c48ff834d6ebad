"""The base of every error that a user of Kanpu may see."""


class KanpuError(Exception):
    """Something the caller can mend. Its text says what is wrong and what to do.

    `code` is stable and goes into API answers and exit messages.
    """

    code = "error"
