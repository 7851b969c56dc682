"""What callers hand over, held against what it has to be."""

from __future__ import annotations

import os
from collections.abc import Collection

from tokenest_py.errors import UsageError

ANY = float("inf")


def path_in_environment(variable: str) -> str:
    """The path of a setting, as the commands read it: `~` at its start is the home folder."""
    return os.path.expanduser(os.environ.get(variable, ""))  # noqa: PTH111 - never raises


def path_of(name: str, value: object) -> str:
    """The path as a text; raises UsageError for what is none."""
    try:
        return os.fsdecode(value)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(name, value, "a path") from None


def length_of(name: str, value: object) -> int:
    """How many a collection holds; raises UsageError for a text, and for what is none."""
    if value is None:
        return 0
    if isinstance(value, (str, bytes)) or not isinstance(value, Collection):
        raise UsageError(name, value, "a list")
    return len(value)


def check_flag(name: str, value: object) -> None:
    """Raises UsageError for what is neither True nor False: "0" would switch it on."""
    if not isinstance(value, bool):
        raise UsageError(name, value, "True or False")


def check_number(name: str, value: object, most: float = ANY) -> None:
    """Raises UsageError for what is no number from 0 to the most, whatever its type."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        bound = "" if most == ANY else f" to {most:g}"
        raise UsageError(name, value, f"a number from 0{bound}")


def check_count(name: str, value: object, least: int) -> None:
    """Raises UsageError for what is no whole number from the least on, whatever its type."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(name, value, f"a whole number of at least {least}")
