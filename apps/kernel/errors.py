"""The base of every error that a user of Kanpu may see."""


class KanpuError(Exception):
    """Something the caller can mend. Its text says what is wrong and what to do.

    `code` is stable and goes into API answers and exit messages.
    """

    code = "error"


def kind_of(error: BaseException) -> str:
    """What an error is, without what it says, which may be somebody's data: its type, and where a database refused
    something its SQLSTATE and the constraint.
    """
    of_database = next((one for one in (error, error.__cause__) if getattr(one, "sqlstate", None)), None)
    constraint = getattr(getattr(of_database, "diag", None), "constraint_name", None)
    words = [type(error).__name__, getattr(of_database, "sqlstate", None), constraint]
    return " ".join(str(word) for word in words if word)
