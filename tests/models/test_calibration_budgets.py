"""Budgets from a real build against lifelines and a plain Python reference."""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from calibration_reference import Call, Cells, SoFar, budgets, quantile
from dbt_project import Project, event
from tokenest_py import Estimator
from tokenest_py.runtime.table import load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

RATES = [0.01, 0.02, 0.05, 0.1]
QUERY = """
    select cell_level, category, complexity, labels ->> 'estimate_bin', model, input_bin,
        max_truncation, n, n_observed, own_quantile_tokens, budget_blend_tokens, is_exported,
        fallback_tokens
    from intermediate.int_budget_quantiles
"""


def random_calls(seed: int) -> list[dict[str, Any]]:
    """Calls of many cells: ties, truncated ones, cells of one or two calls, or only truncated."""
    chance = random.Random(seed)
    records: list[dict[str, Any]] = []
    cells = [
        ("implementation", "low", "model-a", 300),
        ("implementation", "low", "model-b", 200),
        ("implementation", "high", "model-a", 40),
        ("documentation", "low", "model-a", 11),
        ("documentation", None, None, 60),
        ("testing", "low", None, 2),
        ("testing", "medium", "model-a", 1),
        (None, "low", "model-a", 5),
        ("odd|name", "low", "50%", 15),
        ("odd", "name|low", "50%", 3),  # one key, if keys were only joined
        ("always_cut", "low", "model-a", 4),
        ("summary", "low", "model-a", 150),  # long prompts have long answers
        ("summary", None, None, 40),
    ]
    for category, complexity, model, count in cells:
        for _ in range(count):
            number = len(records)
            input_tokens = chance.choice([None, 900, 1000, 5000])
            tokens = round(chance.lognormvariate(6, 0.7) / 10) * 10 + 1
            if category == "summary":
                input_tokens = int(chance.lognormvariate(7, 1)) + 1
                tokens = math.ceil(input_tokens * chance.lognormvariate(-1.5, 0.3))
            ceiling = 200 if category == "always_cut" else chance.choice([400, 800, 4096])
            truncated = tokens >= ceiling or category == "always_cut"
            records.append(
                event(
                    event_id=f"e-{number}",
                    occurred_at=f"2026-01-{1 + number % 28:02}T00:00:00Z",
                    phase_id=f"p-{number}",
                    category=category,
                    complexity=complexity,
                    model=model,
                    input_tokens=input_tokens,
                    actual_output_tokens=ceiling if truncated else tokens,
                    actual_max_tokens=ceiling,
                    stop_reason="max_tokens" if truncated else "end_turn",
                    truncated=truncated,
                    success=not truncated,
                )
            )
    return records


@cache
def files_bin(category: str | None, complexity: str | None) -> str:
    """The class of the estimate of a call, by hand."""
    estimate = Estimator.load().estimate(["src/a.py"], category, complexity)
    return str(math.floor(2 * math.log2(estimate.base_tokens)))


def as_call(record: dict[str, Any]) -> Call:
    """The call of a record, its input bin by hand."""
    tokens = record.get("input_tokens")
    return Call(
        record.get("category"),
        record.get("complexity"),
        files_bin(record.get("category"), record.get("complexity")),
        record.get("model"),
        None if tokens is None else math.floor(4 * math.log2(tokens)),
        record["actual_output_tokens"],
        is_observed=not record["truncated"],
    )


def write(project: Project, records: list[dict[str, Any]], name: str = "events.ndjson") -> None:
    """Write records as a telemetry file."""
    text = "".join(json.dumps(record) + "\n" for record in records)
    project.telemetry(name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    """The calls that were built, in the order of time."""
    records = sorted(random_calls(1), key=lambda found: (found["occurred_at"], found["event_id"]))
    return [as_call(record) for record in records]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A build over the random calls."""
    project = Project(tmp_path_factory.mktemp("budgets"))
    write(project, random_calls(1))
    project.build("coefficients")
    return project


def test_survival_equals_lifelines(built: Project, calls: list[Call]) -> None:
    """At every demand of every cell, the product limit is that of an independent library."""
    members: dict[tuple[object, ...], list[Call]] = defaultdict(list)
    for call in calls:
        for level in range(6):
            cell = call.cell(level)
            if cell is not None:
                members[(level, *cell, *[None] * (5 - level))].append(call)
    rows = built.rows(
        "select cell_level, category, complexity, estimate_bin, model, input_bin, demand_tokens,"
        " ln_survival"
        " from intermediate.int_demand_survival"
    )
    curves = {}
    for key, cell_calls in members.items():
        fitter = KaplanMeierFitter()
        fitter.fit(
            np.array([call.tokens for call in cell_calls]),
            np.array([call.is_observed for call in cell_calls]),
        )
        curves[key] = fitter
    assert {tuple(row[:6]) for row in rows} == set(curves)
    for *columns, tokens, ln_survival in rows:
        expected = float(curves[tuple(columns)].survival_function_at_times(tokens).iloc[0])
        assert math.exp(ln_survival) == pytest.approx(expected, abs=1e-9)


def test_budgets_equal_the_reference(built: Project, calls: list[Call]) -> None:
    """Every cell and rate, sparse, tied, cut and single ones included."""
    expected = budgets(calls, RATES)
    rows = built.rows(QUERY)
    assert len(rows) == len(expected)
    for level, *cell, rate, _, _, _, budget, _, _ in rows:
        assert expected[level, tuple(cell[:level]), rate] == budget, (level, cell, rate)


def test_own_quantiles_equal_the_reference(built: Project, calls: list[Call]) -> None:
    """The cell's own quantile, and none where every call was cut off."""
    own = [call for call in calls if call.category == "always_cut"]
    for rate in RATES:
        assert quantile(calls, rate).own == built.rows(
            f"{QUERY} where cell_level = 0 and max_truncation = ?", rate
        )[0][9]  # fmt: skip
    assert not any(call.is_observed for call in own)
    found = built.rows(f"{QUERY} where category = 'always_cut'")
    assert {row[9] for row in found} == {None}
    assert {row[8] for row in found} == {0}


def test_the_order_of_the_input_does_not_matter(built: Project, tmp_path: Path) -> None:
    """Shuffled, and split over two files: the same budgets, row for row."""
    shuffled = random_calls(1)
    random.Random(2).shuffle(shuffled)
    project = Project(tmp_path)
    write(project, shuffled[:300], "b.ndjson")
    write(project, shuffled[300:], "a.ndjson")
    project.build("coefficients")
    assert sorted(project.rows(QUERY), key=repr) == sorted(built.rows(QUERY), key=repr)


def test_what_is_new_gets_what_new_ones_needed(built: Project, calls: list[Call]) -> None:
    """The runtime's answer for models and categories that the table does not know, by hand."""
    cells = Cells(calls)
    so_far = SoFar(calls, cells, RATES)
    estimator = Estimator.load(built.coefficients, strict=True)
    asked = [
        ("implementation", "low", "new"),
        ("documentation", "low", "model-b"),
        ("never seen", "low", "model-a"),
        ("never seen", None, None),
        ("testing", "low", "new"),
        ("implementation", "medium", "new"),
    ]
    for category, complexity, model in asked:
        call = Call(category, complexity, None, model, None, 1, is_observed=True)
        expected = 0.0  # no budget is below that of a looser rate
        for rate in sorted(RATES, reverse=True):
            share = cells.own_share(call, rate, range(1, 3)) if model else 0.0
            expected = max(expected, math.exp(so_far.expected(call, share, rate)))
            found = estimator.budget(
                estimator.estimate(None, category, complexity), model=model, max_truncation=rate
            )
            assert found.source == "so far"
            assert found.max_tokens == pytest.approx(max(16, expected), rel=2e-3, abs=1)


def test_exported_budgets_load_and_say_what_the_marts_say(built: Project) -> None:
    """Only cells that the runtime would otherwise answer differently, with all their rates."""
    table = load(str(built.coefficients))
    rows = built.rows(QUERY)
    exported = {(*row[1:6], row[6]): row[10] for row in rows if row[11]}
    loaded = {
        (*cell, *[None] * (len(table.levels) - len(cell)), rate): tokens
        for cell, quantiles in table.cells.items()
        for rate, tokens, *_ in quantiles
    }
    assert loaded == exported
    kept_back = [row for row in rows if not row[11] and row[10] is not None]
    assert all(abs(row[10] - row[12]) < 4 for row in kept_back)


def test_without_enough_calls_there_is_no_budget(tmp_path: Path) -> None:
    """Two calls: the floors hold."""
    project = Project(tmp_path)
    write(project, random_calls(3)[:2])
    project.build("coefficients")
    found = project.rows(QUERY)
    assert {row[7] for row in found} <= {1, 2}
    assert {row[10] for row in found} == {None}
    assert project.rows("select kind from exports.coefficients where kind = 'budget'") == []
