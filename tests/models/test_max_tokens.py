"""marts.max_tokens is what the runtime answers, token for token, for what was seen and was not."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbt_project import Project, event, line
from tokenest_py import Estimator
from tokenest_py.runtime.budget import estimate_bin, input_bin
from tokenest_py.runtime.limits import Limits, canonical, read_seed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

RATES = [0.01, 0.02, 0.05, 0.1]
CATEGORIES = ["chat", "implementation", "testing", "extract", "odd|name", "never seen"]
COMPLEXITIES = [None, "low", "medium", "high", "maintenance", "strange"]
HAIKU = "bedrock/us.anthropic.claude-3-haiku-20240307-v1:0"
MODELS = [None, "gpt-4o-mini-2024-07-18", "gpt-4", "own-model", HAIKU, "never seen"]
SIZES = [None, 1, 60, 900, 5_000, 7_000, 126_000, 300_000]
FILES = [(), ("src/a.py",), ("src/a.py", "tests/test_a.py", "docs/b.md"), tuple("abcdefghij")]

Cell = tuple[str, ...]


def calls(count: int, seed: int) -> list[dict[str, Any]]:
    """Calls of some of the cells: some cut off, some under budgets of a table, many alike."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        category = chance.choice(CATEGORIES[:-1])
        complexity = chance.choice([None, "low", "high"] if category != "chat" else [None])
        model = chance.choice(MODELS[:-1])
        need = round(chance.lognormvariate(5 + CATEGORIES.index(category), 0.8))
        ceiling = chance.choice([1_000, 4_096, 20_000])
        is_cut = need > ceiling
        files = list(chance.choice(FILES)) if category in {"implementation", "testing"} else None
        is_sized = chance.random() < 0.5
        found.append(
            event(
                event_id=f"e-{number}",
                occurred_at=f"2026-01-{1 + number % 28:02}T{number % 24:02}:00:00Z",
                run_id=f"r-{number}",
                phase_id=f"p-{number}",
                category=category,
                complexity=complexity,
                deliverables=files or None,
                model=model,
                input_tokens=chance.choice(SIZES),
                predicted_output_tokens=None,
                coefficients_id="table-a" if is_sized else None,
                selected_budget=ceiling if is_sized else None,
                budget_source="quantile cell" if is_sized else None,
                max_truncation=chance.choice(RATES) if is_sized else None,
                actual_max_tokens=ceiling,
                actual_output_tokens=min(need, ceiling),
                stop_reason="max_tokens" if is_cut else "end_turn",
                truncated=is_cut,
                success=not is_cut,
            )
        )
    return found


class Built:
    """A build, its mart by cell and rate, and the runtime with the exported table."""

    def __init__(self, project: Project, count: int) -> None:
        """Build over so many calls."""
        text = "".join(json.dumps(record) + "\n" for record in calls(count, count))
        project.telemetry().write_text(text, encoding="utf-8")
        project.build("max_tokens")
        self.rows: dict[tuple[Cell, float], tuple[Any, ...]] = {}
        for *cell, rate, tokens, source, n, identified, clamped in project.rows(
            "select category, complexity, estimate_bin, model, input_bin, max_truncation,"
            " max_tokens, source, n, is_identified, clamped_by from marts.max_tokens"
        ):
            self.rows[tuple(cell), rate] = tokens, source, n, identified, clamped
        self.known = {cell[:end] for cell, _ in self.rows for end in range(6)}
        self.estimator = Estimator.load(project.coefficients, strict=True, memory=False)

    def row(self, asked: Cell, rate: float) -> tuple[tuple[Any, ...] | None, bool]:
        """The row of a cell, and whether it is the very cell; what has no row is (new)."""
        found: Cell = ()
        for end, value in enumerate(asked):
            # a size of an estimate that floors answer has no row, and a size of a prompt no (new)
            names = {2: [value, "(new)"], 4: [value, "all"]}.get(end, [value, "(new)", "all"])
            if end == 2 and found[-1] == "(new)":  # new labels have rows for estimates of all sizes
                names = ["all"]
            name = next((name for name in names if (*found, name) in self.known), "no row")
            found = (*found, name)
        return self.rows.get((found, rate)), found == asked


@pytest.fixture(scope="module", params=[900, 12], ids=["many", "few"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Calls that show most rates, and calls that show none, so that floors hold."""
    return Built(Project(tmp_path_factory.mktemp("ceilings")), request.param)


@given(
    category=st.sampled_from([None, *CATEGORIES]),
    complexity=st.sampled_from(COMPLEXITIES),
    files=st.sampled_from(FILES),
    model=st.sampled_from(MODELS),
    size=st.sampled_from(SIZES),
    rate=st.sampled_from(RATES),
)
@settings(max_examples=1500, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_mart_is_the_runtime(
    built: Built, category: str | None, complexity: str | None, files: tuple[str, ...],
    model: str | None, size: int | None, rate: float,
) -> None:  # fmt: skip
    """Tokens of every call; source, n and the rest of it where the very cell has a row."""
    estimate = built.estimator.estimate(
        files or None, category, complexity, model=model, input_tokens=size
    )
    bin_ = input_bin(size) if size else None
    if size and bin_ is not None:  # the mart tells the room in the window for the smallest prompt
        size = math.ceil(2 ** (bin_ / 4) - 1e-9)
    budget = built.estimator.budget(estimate, model=model, input_tokens=size, max_truncation=rate)
    asked = (
        estimate.category or "all",
        estimate.complexity or "all",
        (files and estimate_bin(estimate.base_tokens)) or "all",
        model or "all",
        "all" if bin_ is None else str(bin_),
    )
    row, is_very_cell = built.row(asked, rate)
    if row is None or (files and row[1] == "cold-start floor"):
        assert files  # a floor is that of the files themselves
        assert budget.source == "cold-start floor"
        return
    if budget.clamped_by in {"context_window", "input_over_window"} and not is_very_cell:
        return  # the row is that of a prompt of any size
    answer = budget.max_tokens, budget.source, budget.n, budget.identified, budget.clamped_by
    assert row[0] == budget.max_tokens, (asked, row, budget)
    if is_very_cell:
        assert row == answer


def test_names_of_models_are_read_as_the_runtime_reads_them(project: Project) -> None:
    """Canonical name and limits, of models of the seed in every dress and of strange ones."""
    known = sorted(dict(read_seed()))[::40]
    names = dict.fromkeys(
        f"{prefix}{name}{suffix}"
        for name in [
            *known,
            "Claude-3.5-Sonnet-v2",
            "claude-3.5.1-x",
            "gpt-4o",
            "claude-sonnet-4-5",
        ]
        for prefix in ("", "openai:", "us.anthropic.", "bedrock/eu.", "a/b/", "ft:")
        for suffix in ("", "-20250101", "-v1:0", ":0:200k", "@20250101", "-latest", ":org::id")
    )
    lines = [
        line(event_id=f"e-{number}", phase_id=f"p-{number}", model=name)
        for number, name in enumerate(names)
    ]
    project.telemetry().write_bytes(b"".join(lines))
    project.build("int_models")
    found = project.rows(
        "select model, canonical_name, max_output, context_window, max_input"
        " from intermediate.int_models"
    )
    limits = Limits()
    assert len(found) == len(names)
    wrong = [
        (name, in_sql, canonical(name), sizes, limits.find(name))
        for name, in_sql, *sizes in found
        if in_sql != canonical(name) or tuple(sizes) != limits.find(name)
    ]
    assert wrong == []


def test_what_is_new_stands_on_the_median_of_all(tmp_path: Path) -> None:
    """Not on that of prompts of one size, which calls without a category and a model have too."""
    project = Project(tmp_path)
    records = [
        event(
            event_id=f"e-{number}",
            phase_id=f"p-{number}",
            run_id=f"r-{number}",
            occurred_at=f"2026-01-{1 + number // 24:02}T{number % 24:02}:00:00Z",
            category=None if number % 4 == 0 else f"kind {number % 4}",
            complexity=None,
            deliverables=None,
            predicted_output_tokens=None,
            model=None,
            input_tokens=5_000 if number % 4 == 0 else None,
            actual_max_tokens=20_000,
            actual_output_tokens=100 + number % 40 + (3_000 if number % 4 == 0 else 0),
        )
        for number in range(400)
    ]
    text = "".join(json.dumps(record) + "\n" for record in records)
    project.telemetry().write_text(text, encoding="utf-8")
    project.build("max_tokens")
    ((in_mart, source),) = project.rows(
        "select max_tokens, source from marts.max_tokens where category = '(new)' and model = 'all'"
        " and complexity = 'all' and estimate_bin = 'all' and input_bin = 'all'"
        " and max_truncation = 0.05"
    )
    estimator = Estimator.load(project.coefficients, strict=True, memory=False)
    budget = estimator.budget(estimator.estimate(None, "never seen"), max_truncation=0.05)
    assert (budget.max_tokens, budget.source) == (in_mart, source) == (in_mart, "so far")


def test_where_no_call_shows_a_median_the_floor_is_the_runtime_s(project: Project) -> None:
    """All calls were cut off: the estimate behind the floor is that of the complexity."""
    records = [
        event(
            event_id=f"e-{number}",
            phase_id=f"p-{number}",
            category="chat",
            complexity=None,
            deliverables=None,
            predicted_output_tokens=None,
            actual_max_tokens=1_000,
            actual_output_tokens=1_000,
            stop_reason="max_tokens",
            truncated=True,
            success=False,
        )
        for number in range(12)
    ]
    text = "".join(json.dumps(record) + "\n" for record in records)
    project.telemetry().write_text(text, encoding="utf-8")
    project.build("max_tokens")
    rows = project.rows(
        "select distinct max_tokens from marts.max_tokens"
        " where category = 'chat' and estimate_bin = 'all' and max_truncation = 0.02"
    )
    estimator = Estimator.load(project.coefficients, strict=True, memory=False)
    budget = estimator.budget(estimator.estimate(None, "chat"), max_truncation=0.02)
    assert budget.source == "cold-start floor"
    assert rows == [(budget.max_tokens,)]
