"""A value that is put into a plan is the value that dbt would have compiled."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import ROOT, plan_of
from tokenest_py.pipeline.plan.open_vars import PACKAGED_VARS, open_vars
from tokenest_py.pipeline.plan.plan import Plan
from tokenest_py.pipeline.plan.store import compile_to

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_a_value_put_in_is_a_value_compiled(tmp_path: Path) -> None:
    """Step by step the same text, with every var that is left open, advice's and figures."""
    rules = plan_of({}).figures
    figures = {
        name: rule["kind"] == "flag" or rule["low"] + 1 - rule["low"] % 1
        for name, rule in rules.items()
    }
    assert len(figures) > 45
    variables, words = open_vars(0.07, 32000, label="order")
    given = plan_of(variables | figures, words)
    path = tmp_path / "compiled.json"
    compiled_in = {
        "truncation_rates": [0.07],
        "assumed_max_tokens": {"all": {"all": 32000}},
        "labels": ["order"],
        **figures,
    }
    compile_to(ROOT, path, compiled_in)
    compiled = Plan.read(path, {})
    assert differing(given, compiled) == []
    known = {"checksum": "", "rules": ""}
    assert dataclasses.replace(given, **known) == dataclasses.replace(compiled, **known)
    assert given.rules != plan_of(variables, words).rules
    assert given.rules != plan_of(*open_vars(0.07, 31000, label="order")).rules


def test_without_a_ceiling_none_is_assumed() -> None:
    """The word for it becomes null, and the rate stays open."""
    texts = str(plan_of(*open_vars(0.02, None, label="order")).steps)
    assert "when true then null" in texts
    assert "271828182" not in texts


def differing(left: Plan, right: Plan) -> list[str]:
    """The names of the steps that are not equal."""
    return [one.name for one, other in zip(left.steps, right.steps, strict=True) if one != other]


@pytest.mark.parametrize(
    ("given", "labels", "words"),
    [
        ({}, None, ["0.05", "null"]),
        ({"label": "feature"}, ["any_label"], ["0.05", "null", "feature"]),
        ({"label": "category"}, ["category"], ["0.05", "null"]),
        ({"path": "a.b"}, ["path"], ["0.05", "null"]),
    ],
)
def test_which_vars_are_left_open(
    given: dict[str, Any], labels: list[str] | None, words: list[str]
) -> None:
    """A label of the estimator and a path are compiled in; what is left open is in the wheel."""
    variables, found = open_vars(0.05, None, **given)
    assert variables.get("labels") == labels
    assert list(found.values()) == words
    assert (variables in PACKAGED_VARS) == (labels in (None, ["any_label"]))
