"""What is wrong with the storage of a study, in words for whoever named it."""

from __future__ import annotations

from profiler.values.plain_text import one_line

OWN_FILE = "begin a new search with another --out; the networks of this one stay where they are"
ANOTHER = "name another --storage, or leave it out for a file in the folder of the search"
_KNOWN = {
    "database is locked": "is locked by another program",
    "unable to open database file": "cannot be opened or made there",
    "readonly database": "cannot be written to",
    "not a database": "is damaged or no database",
    "malformed": "is damaged or no database",
    "Expecting": "is damaged or no database",  # what the json module says of what it holds
    "no such column": "holds the tables of another program",
    "no such table": "holds no study, or that of another program",
    "no longer compatible": "was written by another version of Optuna",
    "Can't load plugin": "is of a kind that is not known here",
    "Could not parse": "is no URL of a storage",
}
"""What is found in the errors of the libraries, and how it is told."""
_HINTS = {
    "database is locked": "end that program, then go on with --resume DIR",
    "unable to open database file": "make its folder, or name a file of yours: "
    "--storage sqlite:///FILE.db",
    "Can't load plugin": "--storage sqlite:///FILE.db, or what SQLAlchemy and its drivers know",
    "Could not parse": "write --storage sqlite:///FILE.db",
}


def explain_storage(error: BaseException, *, is_own: bool) -> tuple[str, str]:
    """How a sentence about a storage goes on, and a hint.

    Args:
        error: what Optuna, SQLAlchemy or a driver raised.
        is_own: whether it is the file in the search's own folder.
    """
    reasons = _reasons(error)
    hint = OWN_FILE if is_own else ANOTHER
    for words, told in _KNOWN.items():
        if any(words in reason for reason in reasons):
            return told, _HINTS.get(words, hint)
    # The innermost is the driver's own word, without statement, parameters and links.
    return f"cannot be used: {reasons[-1][:200]}", hint


def _reasons(error: BaseException | None) -> list[str]:
    """One line of each error, from what was raised to what it came from."""
    reasons: list[str] = []
    while error is not None:
        reasons.append(one_line(error))
        error = error.__cause__ or getattr(error, "orig", None)
    return reasons
