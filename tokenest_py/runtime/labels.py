"""What calls are grouped by besides category and complexity: names and values, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from tokenest_py.errors import UsageError
from tokenest_py.runtime.text import vocabulary_key

MAX_LABELS = 8
MAX_VALUE = 128  # characters of a value, as UTF-16 counts them: so do landing's rules
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
NAMES = "names of at most 32 of a-z, 0-9 and _, a letter first"
VALUES = f"a text of at most {MAX_VALUE} characters"
# Levels of a table that are no labels: every call says them by arguments of their own.
CALL_LEVELS = ("model", "input_bin")
# A level that the table keeps with the labels, and every call says by its deliverables.
ESTIMATE_BIN = "estimate_bin"
OF_THE_CALL = (*CALL_LEVELS, ESTIMATE_BIN)
NO_LABELS: Mapping[str, str] = MappingProxyType({})

# Names that no label of an estimate has, and where the call says them.
ARGUMENTS = {
    "category": "the argument category=",
    "complexity": "the argument complexity=",
    ESTIMATE_BIN: "the deliverables of estimate()",
    "model": "the argument model= of budget()",
    "input_bin": "the argument input_tokens= of budget()",
}


def is_value(value: str) -> bool:
    """Whether a text is short enough to be a label's value."""
    return len(value) <= MAX_VALUE and (
        value.isascii() or len(value.encode("utf-16-le", "surrogatepass")) <= 2 * MAX_VALUE
    )


def checked(labels: Mapping[str, str | None] | None) -> Mapping[str, str]:
    """A call's labels as the table has them: in lower case, without the absent ones.

    Raises:
        UsageError: A name or a value that no label can have.
    """
    if labels is None:
        return NO_LABELS
    if not isinstance(labels, Mapping):
        raise UsageError("labels", labels, "a mapping such as {'project': 'web'}")
    if len(labels) > MAX_LABELS:
        raise UsageError("labels", f"{len(labels)} names", f"at most {MAX_LABELS}")
    found = {name: _checked_value(name, value) for name, value in labels.items()}
    return MappingProxyType({name: text for name, text in found.items() if text})


def _checked_value(name: str, value: str | None) -> str:
    if name in ARGUMENTS:
        raise UsageError("labels", name, ARGUMENTS[name])
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UsageError("labels", name, NAMES)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UsageError(f"labels[{name!r}]", value, f"a text, such as {str(value)[:32]!r}")
    if not is_value(value):
        cut = f"{value[:32]}..."
        raise UsageError(f"labels[{name!r}]", cut, VALUES)
    return vocabulary_key(value)
