"""Vars that are one number or a flag: what SQL holds of them, and what a run may put in."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import pytest
from jinja2 import Environment

from dbt_project import plan_of
from tokenest_py.errors import BuildError
from tokenest_py.pipeline.plan.figures import Figure, check, figures_of, filled_in

if TYPE_CHECKING:
    from collections.abc import Callable

WANTED = {
    "share": "a number from 0 to 1",
    "calls": "a whole number of at least 1",
    "final": "true or false",
}
RULES = {
    "share": {"kind": "number", "low": 0, "high": 1, "wants": WANTED["share"]},
    "calls": {"kind": "whole", "low": 1, "high": None, "wants": WANTED["calls"]},
    "final": {"kind": "flag", "low": None, "high": None, "wants": WANTED["final"]},
}


@pytest.mark.parametrize(
    ("template", "compiled", "is_open"),
    [
        ("n >= {{ n }}", "n >= 5", True),
        ("{{ 'n + ' ~ n }}", "n + 5", True),
        ("{% set with = 'least(' ~ n ~ ')' %}{{ with }}", "least(5)", True),
        ("{{ n | lower }}", "5", True),
        ("{{ 2 * n }}", "10", False),
        ("{{ n - 7 }} {{ 7 - n }}", "-2 2", False),
        ("{{ n / 2 }} {{ 2 / n }}", "2.5 0.4", False),
        ("{{ -n }} {{ n | abs }} {{ n | int }} {{ n | float }}", "-5 5 5 5.0", False),
        ("{{ 'some' if n else 'none' }}", "some", False),
        ("{{ n or 9 }}", "@figure n=5@", False),
        ("{{ 'yes' if n > 4 and 6 > n and n == 5 and n != 4 }}", "yes", False),
        ("{{ [9, n] | unique | sort | join(',') }}", "@figure n=5@,9", False),
    ],
)
def test_a_macro_that_looks_at_a_figure_closes_it(
    template: str, compiled: str, *, is_open: bool
) -> None:
    """What is written out stays a word; who counts or compares gets the number."""
    looked_at: set[str] = set()
    text = Environment(autoescape=False).from_string(template).render(n=Figure("n", 5, looked_at))
    assert looked_at == (set() if is_open else {"n"})
    assert filled_in(text, {}) == filled_in(compiled, {})
    if is_open:
        assert filled_in(text, {"n": 31}) == compiled.replace("5", "31")


@pytest.mark.parametrize("function", [operator.mod, operator.floordiv, operator.pow])
def test_both_sides_of_an_operator(function: Callable[[object, object], object]) -> None:
    """A figure stands on either."""
    figure = Figure("n", 5, set())
    assert function(figure, 3) == function(5, 3)
    assert function(3, figure) == function(3, 5)
    assert {figure: 1}[figure] == 1


def test_a_list_is_no_figure() -> None:
    """Nor is a text that looks like one."""
    given = {"a": 1, "b": 0.5, "c": True, "d": [1], "e": "1", "f": None}
    assert figures_of(given) == {"a": 1, "b": 0.5, "c": True}
    assert filled_in("@figure c=False@ and @figure a=0@", given) == "True and 1"
    assert filled_in("@figure c=false@ or @figure g=true@", given) == "true or true"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("share", 0), ("share", 1), ("share", 0.5), ("calls", 1), ("calls", 10**12), ("other", -1),
        ("final", True), ("final", False),
    ],
)  # fmt: skip
def test_what_is_within_its_bounds(name: str, value: float) -> None:
    """They are part of it; what has no rule is dbt's to judge."""
    check(RULES, {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("share", -0.1), ("share", 1.1), ("share", float("nan")), ("share", float("inf")),
        ("calls", 0), ("calls", 2.5), ("calls", float("nan")), ("calls", float("inf")),
        ("calls", True), ("share", True), ("final", 1), ("final", 0.5),
    ],
)  # fmt: skip
def test_what_will_not_do(name: str, value: float) -> None:
    """The message is dbt's own, and names all."""
    with pytest.raises(BuildError) as raised:
        check(RULES, {"share": 0.5, "calls": 5, name: value})
    said = f"var {name} is {value}; it must be {WANTED[name]}"
    assert str(raised.value) == said
    with pytest.raises(BuildError) as raised:
        check(
            RULES, {name: value, "other": -1} | ({"share": 7} if name == "calls" else {"calls": 0})
        )
    assert str(raised.value).startswith(f"{said}; var ")


@pytest.mark.slow
def test_another_figure_needs_no_other_plan() -> None:
    """Its checksum is the same; the SQL and what rows depend on are not."""
    plan, other = plan_of({}), plan_of({"stub_max_tokens": 77, "min_samples": 9})
    assert plan.checksum == other.checksum
    assert plan.steps != other.steps
    assert "stub_max_tokens=50" in plan.rules
    assert "stub_max_tokens=77" in other.rules
    assert "@figure" not in str(plan.steps) + plan.rules + plan.export
