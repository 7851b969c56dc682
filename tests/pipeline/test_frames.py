"""Estimates for a whole frame: equal to the estimator's, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vintages
from tokenest_py import Estimator
from tokenest_py.errors import UsageError
from tokenest_py.pipeline.frames import RESULTS, estimate_frame
from tokenest_py.runtime.table import load

if TYPE_CHECKING:
    from pathlib import Path

Call = tuple[list[str] | None, str | None, str | None]
TEXTS = st.one_of(
    st.sampled_from(
        [
            "src/a.py",
            "Create tests/test_a.py",
            "Modify src/App.tsx",
            "docs/a.md",
            "docs/EXAMPLES.md",
            "docs/USAGE_GUIDE.md",
            "docs/API_REFERENCE.md",
            "CHANGELOG.md",
            "Update CHANGELOG.md (note)",
            "q.sql",
            "Makefile",
            "",
            "  ",
        ]
    ),
    st.text(max_size=30),
)
CATEGORIES = st.sampled_from(
    [None, "", "implementation", "Docs", "doc_synthesis", "doc_sot_update", "frontend", "odd"]
)
COMPLEXITIES = st.sampled_from([None, "low", "HIGH", "med", "maintenance", "odd"])


def frame_of(calls: list[Call]) -> pl.DataFrame:
    """A frame of calls."""
    return pl.DataFrame(
        calls,
        schema={
            "deliverables": pl.List(pl.String),
            "category": pl.String,
            "complexity": pl.String,
        },
        orient="row",
    )


def one_by_one(estimator: Estimator, calls: list[Call], assume: str) -> list[tuple[object, ...]]:
    """What the estimator gives for each call."""
    found = [estimator.estimate(*call, assume=assume) for call in calls]
    return [(e.estimated_tokens, e.low, e.high, e.confidence, e.category) for e in found]


@settings(max_examples=200)
@given(
    calls=st.lists(
        st.tuples(st.one_of(st.none(), st.lists(TEXTS, max_size=9)), CATEGORIES, COMPLEXITIES),
        max_size=20,
    ),
    assume=st.sampled_from(["new", "modified"]),
)
def test_equal_to_the_estimator(calls: list[Call], assume: str) -> None:
    """Every result of every row is the estimator's own."""
    found = estimate_frame(frame_of(calls), assume=assume).select(RESULTS)
    expected = one_by_one(Estimator.load(), calls, assume)
    for row, wanted in zip(found.rows(), expected, strict=True):
        assert row == pytest.approx(wanted)


def test_multipliers(tmp_path: Path) -> None:
    """Calibrated cells are found for each model of a row."""
    rows = [
        {"kind": "multiplier", "category": "doc_synthesis", "value": 0.5},
        {"kind": "multiplier", "category": "implementation", "complexity": "low", "value": 0.3},
        {"kind": "multiplier_low", "category": "implementation", "complexity": "low", "value": 0.2},
        {"kind": "multiplier_high", "value": 0.9},
    ]
    path = vintages.write(tmp_path, lambda packaged: packaged + rows)
    calls: list[Call] = [*vintages.SIX_CALLS, (["src/a.py"], "backend", "low"), ([], None, None)]
    found = estimate_frame(frame_of(calls), coefficients=load(str(path)))
    expected = one_by_one(Estimator.load(path, strict=True), calls, "new")
    assert [row[:3] for row in found.select(RESULTS).rows()] == [row[:3] for row in expected]


def test_columns_stay() -> None:
    """Other columns and the order of the rows stay."""
    frame = frame_of(vintages.SIX_CALLS).with_columns(key=pl.int_range(6), low=pl.lit("old"))
    found = estimate_frame(frame)
    assert found["key"].to_list() == list(range(6))
    assert found["estimated_tokens"].to_list() == [7020, 8970, 7020, 10270, 19240, 12818]
    assert found["low"].to_list() == [4914, 6279, 4914, 7189, 13468, 8973]


def test_impossible_assumption() -> None:
    """Only new and modified can be assumed."""
    with pytest.raises(UsageError, match="assume='old'"):
        estimate_frame(frame_of([]), assume="old")
