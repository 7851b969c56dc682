"""The first user's own loop: calls under floors, a first table, and the rates that it keeps."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING

import pytest

from dbt_project import Project, event, line
from tokenest_py import Estimator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CALLS = 3000
JUDGES = 20_000
RATES = [0.01, 0.02, 0.05, 0.1]


def needs(count: int, seed: int) -> list[int]:
    """What calls need: lognormal around 1,200 tokens."""
    chance = random.Random(seed)
    return [round(chance.lognormvariate(math.log(1200), 0.7)) for _ in range(count)]


def build(folder: Path, fields: Callable[[int, int], dict[str, object]]) -> Project:
    """A build over calls of one model; `fields` says the rest of a call by its number and need."""
    project = Project(folder)
    with project.telemetry().open("w", encoding="utf-8") as file:
        for number, need in enumerate(needs(CALLS, 1)):
            record = event(
                event_id=f"e-{number:05}",
                occurred_at=f"2026-01-{1 + number // 200:02}T{number % 24:02}:00:00Z",
                phase_id=f"p-{number}",
                deliverables=None,
                model="m",
                **fields(number, need),
            )
            file.write(json.dumps(record) + "\n")
    project.build("coefficients")
    return project


@pytest.fixture(scope="module")
def nameless(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A build over calls of which a gateway knows neither category nor complexity."""

    def fields(_number: int, need: int) -> dict[str, object]:
        return {"category": None, "complexity": None, "actual_max_tokens": 16_384,
                "actual_output_tokens": need}  # fmt: skip

    return build(tmp_path_factory.mktemp("nameless"), fields)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A build over calls that floors sized, as the recorder writes them down."""
    estimator = Estimator.load()
    estimate = estimator.estimate(None, "chat", "low")
    budget = estimator.budget(estimate, model="m", max_truncation=0.05)
    assert budget.source == "cold-start floor"

    def fields(number: int, need: int) -> dict[str, object]:
        cut = need > budget.max_tokens
        return {
            "category": "chat",
            "predicted_output_tokens": 100 if number % 50 == 0 else 1200,
            "coefficients_id": budget.coefficients_id,
            "selected_budget": budget.max_tokens,
            "budget_source": budget.source,
            "max_truncation": budget.max_truncation,
            "actual_max_tokens": budget.max_tokens,
            "actual_output_tokens": min(need, budget.max_tokens),
            "stop_reason": "max_tokens" if cut else "end_turn",
            "truncated": cut,
        }

    return build(tmp_path_factory.mktemp("cold"), fields)


@pytest.mark.parametrize("rate", RATES)
def test_the_first_table_keeps_each_rate(built: Project, rate: float) -> None:
    """Floors truncate next to nothing, and that says nothing about quantiles: within one point."""
    estimator = Estimator.load(built.coefficients, strict=True)
    estimate = estimator.estimate(None, "chat", "low")
    budget = estimator.budget(estimate, model="m", max_truncation=rate)
    assert (budget.source, budget.quantile_rate, budget.identified) == ("quantile cell", rate, True)
    judges = needs(JUDGES, 2)
    cut_off = sum(need > budget.max_tokens for need in judges) / JUDGES
    assert cut_off == pytest.approx(rate, abs=0.01)
    assert budget.max_tokens < 8192


def test_no_floor_is_judged(built: Project) -> None:
    """No call ran under a quantile, so nothing moves the budgets."""
    assert built.rows("select count(*) from intermediate.int_online_rates") == [(0,)]


def test_a_prediction_of_100_is_a_call_like_any_other(built: Project) -> None:
    """A test row is known by its flag or its run, not by a value."""
    assert built.rows("select count(*) from marts.calls where is_synthetic") == [(0,)]
    assert built.rows("select count(*) from intermediate.int_demand_history") == [(CALLS,)]


def test_an_estimate_without_deliverables_is_the_median(built: Project) -> None:
    """Half of the calls need more; the range holds four in five; the floors stay for no table."""
    estimate = Estimator.load(built.coefficients, strict=True).estimate(None, "chat", "low")
    judges = sorted(needs(JUDGES, 2))
    assert estimate.estimated_tokens == pytest.approx(judges[JUDGES // 2], rel=0.05)
    held = sum(estimate.low <= need <= estimate.high for need in judges) / JUDGES
    assert held == pytest.approx(0.8, abs=0.02)
    assert Estimator.load().estimate(None, "chat", "low").estimated_tokens == 8192


def test_what_is_new_is_not_given_a_constant(built: Project) -> None:
    """What is new, and what has no name, costs what such calls need, not 11,468."""
    estimator = Estimator.load(built.coefficients, strict=True)
    known = estimator.budget(estimator.estimate(None, "chat", "low"), model="m").max_tokens
    for category, complexity, model, source in (
        ("never seen", "low", "m", "so far"),
        ("chat", "high", "m", "so far"),
        ("chat", "high", None, "parent"),
        ("chat", "low", "new", "so far"),
        (None, None, None, "quantile cell"),
    ):
        found = estimator.budget(estimator.estimate(None, category, complexity), model=model)
        assert found.source == source
        assert 0.5 * known < found.max_tokens < 2 * known


def test_calls_that_never_say_how_they_ended_give_a_table(project: Project) -> None:
    """No call shows what it needed: there is nothing to export, and the runtime reads the table."""
    unsaid = {"actual_max_tokens": None, "stop_reason": None, "truncated": None, "success": None,
              "predicted_output_tokens": None}  # fmt: skip
    lines = [line(event_id=f"e-{n}", actual_output_tokens=n, **unsaid) for n in range(1, 41)]
    project.telemetry().write_bytes(b"".join(lines))
    done = project.tokenest("build")
    assert done.returncode == 0, done.stderr
    estimator = Estimator.load(project.coefficients, strict=True)
    budget = estimator.budget(estimator.estimate(None, "implementation", "low"))
    assert budget.source == "cold-start floor"


MEDIANS = {"route": 40, "extract": 120, "chat": 350, "answer": 800, "write": 2000}


def mixed(count: int, seed: int) -> list[tuple[str, int]]:
    """Calls of five categories that differ by orders of magnitude."""
    chance = random.Random(seed)
    drawn = [chance.choice(list(MEDIANS)) for _ in range(count)]
    return [(name, round(chance.lognormvariate(math.log(MEDIANS[name]), 0.5))) for name in drawn]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("model", [None, "m"])
def test_calls_without_a_category_find_their_own(
    nameless: Project, model: str | None, rate: float
) -> None:
    """Nobody names them, neither in the log nor when they are sized: all calls are their cell."""
    estimator = Estimator.load(nameless.coefficients, strict=True)
    estimate = estimator.estimate()
    assert estimate.category == ""
    assert estimate.estimated_tokens == pytest.approx(1200, rel=0.1)
    budget = estimator.budget(estimate, model=model, max_truncation=rate)
    cut_off = sum(need > budget.max_tokens for need in needs(JUDGES, 2)) / JUDGES
    assert cut_off == pytest.approx(rate, abs=0.01), budget


def test_few_calls_reserve_little(tmp_path: Path) -> None:
    """100 calls of five categories: below 6 tokens reserved for each used, where floors take 17."""
    project = Project(tmp_path)
    with project.telemetry().open("w", encoding="utf-8") as file:
        for number, (category, need) in enumerate(mixed(100, 4)):
            record = event(
                event_id=f"e-{number:05}",
                occurred_at=f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z",
                phase_id=f"p-{number}",
                category=category,
                deliverables=None,
                model="m",
                actual_output_tokens=need,
                actual_max_tokens=64_000,
            )
            file.write(json.dumps(record) + "\n")
    project.build("coefficients")
    learned, packaged = Estimator.load(project.coefficients, strict=True), Estimator.load()
    judges = mixed(2000, 5)
    used = sum(need for _, need in judges)

    def reserved(estimator: Estimator) -> float:
        budgets = {
            name: estimator.budget(
                estimator.estimate(None, name, "low"), model="m", max_truncation=0.05
            ).max_tokens
            for name in MEDIANS
        }
        return sum(budgets[name] for name, _ in judges) / used

    assert reserved(packaged) > 15
    assert reserved(learned) < 6
