"""The vars that are one number or a flag, and that SQL holds as text: a run puts its own in.

While dbt compiles, such a var is a `Figure`, which renders as `@figure min_samples=5@`. A macro
that looks at the value, in a condition or a sum, gets it: such a var shapes the SQL, and a plan is
compiled with it.
"""

from __future__ import annotations

import math
import operator
import re
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Figure", "check", "figures_of", "filled_in"]

_WORD = re.compile(r"@figure (\w+)=([^@]*)@")
_OF_TWO = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
_COMPARED = ("eq", "ne", "lt", "le", "gt", "ge")
_OF_ONE: dict[str, Callable[..., object]] = {
    "bool": bool, "float": float, "int": int, "round": round, "hash": hash,
    "neg": operator.neg, "pos": operator.pos, "abs": abs, "index": operator.index,
}  # fmt: skip


class Figure:
    """What a macro gets from var() while a plan is compiled."""

    def __init__(self, name: str, value: float, looked_at: set[str]) -> None:
        """Take the name, the value, and where to note that a macro looked at it."""
        self._name = name
        self._value = value
        self._looked_at = looked_at

    def __str__(self) -> str:
        """The word that a run replaces."""
        return f"@figure {self._name}={self._value}@"

    def value(self) -> float:
        """The number itself, which a macro needs to go on."""
        self._looked_at.add(self._name)
        return self._value


def _looking(
    function: Callable[..., object], *, is_reversed: bool = False
) -> Callable[..., object]:
    """A method that does with the value what Python does with a number."""

    def method(self: Figure, *others: object) -> object:
        given = [self.value(), *others]
        return function(*(reversed(given) if is_reversed else given))

    return method


for _name in (*_OF_TWO, *_COMPARED):
    setattr(Figure, f"__{_name}__", _looking(getattr(operator, _name)))
for _name in _OF_TWO:
    setattr(Figure, f"__r{_name}__", _looking(getattr(operator, _name), is_reversed=True))
for _name, _function in _OF_ONE.items():
    setattr(Figure, f"__{_name}__", _looking(_function))


def figures_of(variables: Mapping[str, object]) -> dict[str, float]:
    """Those of the vars that are one number or a flag."""
    return {name: value for name, value in variables.items() if isinstance(value, (int, float))}


def filled_in(text: str, given: Mapping[str, float]) -> str:
    """The text of a plan with these figures; those that are not given are as they were compiled."""

    def figure(found: re.Match[str]) -> str:
        said = str(given.get(found[1], found[2]))
        return said.lower() if found[2].islower() else said  # a flag as SQL or as Python writes it

    return _WORD.sub(figure, text)


def check(rules: Mapping[str, Mapping[str, Any]], given: Mapping[str, float]) -> None:
    """Raise BuildError where figures are not what the project says they have to be: all in a line.

    Args:
        rules: By name: `kind` (number, whole, flag), `low`, `high` (None: no bound), and `wants`,
            in words.
        given: Figures by name; what has no rule is not looked at.
    """
    wrong = [
        f"var {name} is {value}; it must be {rules[name]['wants']}"
        for name, value in given.items()
        if name in rules and not _is_well_set(rules[name], value)
    ]
    if wrong:
        raise BuildError("; ".join(wrong))


def _is_well_set(rule: Mapping[str, Any], value: float) -> bool:
    if isinstance(value, bool) or rule["kind"] == "flag":
        return isinstance(value, bool) and rule["kind"] == "flag"
    is_of_its_kind = isinstance(value, int) or (rule["kind"] == "number" and math.isfinite(value))
    high = math.inf if rule["high"] is None else rule["high"]
    return bool(is_of_its_kind and rule["low"] <= value <= high)
