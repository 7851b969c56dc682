"""The vars that have another value each time, left open in the plans: those of advice, and as_of.

A plan is compiled with a value that stands for any; whoever reads the plan puts the real one in
its place. So one plan serves every rate, every ceiling, every label and every day.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PACKAGED_VARS", "open_time", "open_vars"]

ANY_RATE, ANY_TOKENS, ANY_LABEL = 0.0271828182, 271828182, "any_label"
ANY_TIME = "2027-01-08 02:08:18"
# they have columns of their own (macros/record/labels.sql), so that no other label stands for them
_OF_THE_ESTIMATOR = {"category", "complexity"}
_ANY = {"truncation_rates": [ANY_RATE], "assumed_max_tokens": {"all": {"all": ANY_TOKENS}}}


def open_vars(
    rate: float, max_tokens: int | None, *, label: str | None = None, path: str | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the vars to compile with, and what takes the place of which word.

    Args:
        rate: The only rate of truncation, a ratio.
        max_tokens: The ceiling of calls whose record holds none, in tokens; None for none.
        label: What calls are grouped by, instead of the labels of the project.
        path: The same as a path of the record; it is compiled in, since its steps shape the SQL.
    """
    variables: dict[str, Any] = dict(_ANY)
    words = {
        str(ANY_RATE): str(rate),
        str(ANY_TOKENS): "null" if max_tokens is None else str(max_tokens),
    }
    if path is not None:
        variables |= {"labels": ["path"], "label_paths": {"path": path}}
    elif label in _OF_THE_ESTIMATOR:
        variables["labels"] = [label]
    elif label is not None:
        variables["labels"] = [ANY_LABEL]
        words[ANY_LABEL] = label
    return variables, words


def open_time(variables: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """The vars to compile with, and what takes the place of the time of as_of.

    A value that is no time is compiled in: dbt says what is wrong with it.
    """
    given = variables.get("as_of")
    if not isinstance(given, str) or not _is_time(given):
        return dict(variables), {}
    return {**variables, "as_of": ANY_TIME}, {ANY_TIME: given}


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is None and len(text) in {10, 19}
    except ValueError:
        return False


# of the plans in the wheel: of a build, and of advice by the usual labels and by another one
PACKAGED_VARS: tuple[dict[str, Any], ...] = ({}, _ANY, _ANY | {"labels": [ANY_LABEL]})
