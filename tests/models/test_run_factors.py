"""What earlier calls of a run have shown: the tables against plain Python, and what they give."""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from calibration_reference import Call, quantile
from dbt_project import Project, event
from tokenest_py import Estimator

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

RUNS, CALLS = 400, 8
RATE = 0.05


def needs(seed: int) -> list[list[int]]:
    """Runs that write much or little throughout: most of the spread is that of runs."""
    chance = random.Random(seed)
    return [
        [round(chance.lognormvariate(middle, 0.3)) for _ in range(CALLS)]
        for middle in (chance.gauss(7, 0.8) for _ in range(RUNS))
    ]


def build(folder: Path, runs: list[list[int]]) -> Project:
    """A build over runs, one after another; some calls are cut off."""
    project, chance = Project(folder), random.Random(4)
    with project.telemetry().open("w", encoding="utf-8") as file:
        for run, calls in enumerate(runs):
            for turn, need in enumerate(calls):
                cut = need > 4096 and chance.random() < 0.5
                record = event(
                    event_id=f"e-{run:04}-{turn}",
                    occurred_at=f"2026-01-{1 + run // 20:02}T{run % 20:02}:{turn:02}:00Z",
                    run_id=f"run-{run}",
                    phase_id=f"p-{turn}",
                    category="agent",
                    deliverables=None,
                    actual_max_tokens=4096 if cut else 64_000,
                    actual_output_tokens=4096 if cut else need,
                    stop_reason="max_tokens" if cut else "end_turn",
                    truncated=cut,
                )
                file.write(json.dumps(record) + "\n")
    project.build("coefficients")
    return project


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A build over runs that differ."""
    return build(tmp_path_factory.mktemp("runs"), needs(1))


def ln_quantile(calls: list[Call], rate: float) -> float:
    """What all but `rate` of the calls need of their budgets, else the most that one needs."""
    found = quantile(calls, rate)
    return math.log(max(call.tokens for call in calls) if found.is_beyond else found.blended)


def test_the_first_table_equals_the_reference(built: Project) -> None:
    """Each class against all: quantiles of demand over budget, towards 1 by n / (n + 2/rate)."""
    groups: dict[tuple[int, float], list[Call]] = defaultdict(list)
    everyone: dict[float, list[Call]] = defaultdict(list)
    for class_, rate, demand, is_observed, ln_budget in built.rows(
        "select same_bin, max_truncation, demand_tokens, is_observed, ln_budget"
        " from intermediate.int_run_calls"
    ):
        ratio = demand / math.exp(ln_budget)
        call = Call("agent", None, None, None, None, ratio, is_observed)
        groups[class_, rate].append(call)
        everyone[rate].append(call)
    rows = built.rows(
        "select stage_bin, max_truncation, n, ln_factor from intermediate.int_run_factors"
        " where feature = 'same' and top_label = 'agent'"
    )
    assert len(rows) == len(groups) == 40
    for class_, rate, n, ln_factor in rows:
        of_class = ln_quantile(groups[class_, rate], rate)
        of_all = ln_quantile(everyone[rate], rate)
        expected = n / (n + 2 / rate) * (of_class - of_all)
        assert n == sum(call.is_observed for call in groups[class_, rate])
        assert ln_factor == pytest.approx(expected, abs=1e-9)


def test_tables_that_do_not_help_are_not_kept(tmp_path: Path) -> None:
    """The same calls, dealt to runs at random: what came before says nothing."""
    calls = [need for run in needs(1) for need in run]
    random.Random(3).shuffle(calls)
    dealt = [calls[start : start + CALLS] for start in range(0, len(calls), CALLS)]
    project = build(tmp_path, dealt)
    for stage in (1, 2, 3):
        table = f"intermediate.int_run_stage_{stage}"
        assert project.rows(f"select distinct is_kept from {table}") == [(False,)]
    assert project.rows("select count(*) from intermediate.int_run_factors") == [(0,)]


def test_a_run_that_is_followed_gets_better_budgets(built: Project) -> None:
    """On fresh runs: the rate within two points, and the loss at least a fifth lower."""
    losses: dict[bool, float] = {}
    for followed in (True, False):
        estimator = Estimator.load(built.coefficients, strict=True, memory=followed)
        loss, cut_off = 0.0, 0
        for number, calls in enumerate(needs(2)):
            run = f"fresh-{number}"
            for need in calls:
                estimate = estimator.estimate(None, "agent", "low")
                budget = estimator.budget(
                    estimate, model="some-model", max_truncation=RATE, run_id=run
                )
                cut = need > budget.max_tokens
                missed = (1 - RATE) * (need - budget.max_tokens)
                loss += missed if cut else RATE * (budget.max_tokens - need)
                cut_off += cut
                estimator.observe(
                    budget,
                    output_tokens=min(need, budget.max_tokens),
                    stop_reason="max_tokens" if cut else "end_turn",
                    run_id=run,
                )
        assert cut_off / (RUNS * CALLS) == pytest.approx(RATE, abs=0.02)
        losses[followed] = loss
    assert losses[True] < 0.8 * losses[False]
