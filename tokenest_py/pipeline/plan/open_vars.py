"""The vars of which `tokenest advise` has another value each time, left open in its plans.

A plan is compiled with a value that stands for any; whoever reads the plan puts the real one in
its place. So one plan serves every rate, every ceiling and every label.
"""

from __future__ import annotations

from typing import Any

__all__ = ["PACKAGED_VARS", "open_vars"]

ANY_RATE, ANY_TOKENS, ANY_LABEL = 0.0271828182, 271828182, "any_label"
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


# of the plans in the wheel: of a build, and of advice by the usual labels and by another one
PACKAGED_VARS: tuple[dict[str, Any], ...] = ({}, _ANY, _ANY | {"labels": [ANY_LABEL]})
