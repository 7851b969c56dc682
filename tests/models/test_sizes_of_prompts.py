"""Long prompts, which are rare: budgets and estimates where they say how long answers are."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING

import pytest

from dbt_project import Project, event
from tokenest_py import Estimator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONG = 3000  # tokens of a prompt; a tenth of all are longer


def calls(
    count: int, seed: int, needed: Callable[[int, random.Random], float]
) -> Iterator[tuple[int, int]]:
    """Tokens of a prompt and of what it needs."""
    chance = random.Random(seed)
    for _ in range(count):
        prompt = int(chance.lognormvariate(6.5, 1.2)) + 1
        yield prompt, math.ceil(needed(prompt, chance))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("needed", "of_8000"),
    [
        (lambda prompt, chance: prompt / 4 * chance.lognormvariate(0, 0.35), 2000),
        (lambda _, chance: 200 * chance.lognormvariate(0, 0.35), 200),
    ],
    ids=["a quarter of the prompt", "nothing of the prompt"],
)
def test_long_prompts_keep_the_rate(
    project: Project, needed: Callable[[int, random.Random], float], of_8000: int
) -> None:
    """A quarter of the prompt: with the budget of all sizes behind them a third was cut off."""
    with project.telemetry().open("w", encoding="utf-8") as file:
        for number, (prompt, need) in enumerate(calls(3000, 1, needed)):
            record = event(
                event_id=f"e-{number}", occurred_at=f"2026-01-{1 + number // 200:02}T00:00:00Z",
                phase_id=f"p-{number}", deliverables=None, category="summary", complexity=None,
                model="m", input_tokens=prompt, actual_output_tokens=need,
                actual_max_tokens=100_000,
            )  # fmt: skip
            file.write(json.dumps(record) + "\n")
    project.build("coefficients")
    estimator = Estimator.load(project.coefficients, strict=True, memory=False)
    cut = {0.1: 0, 0.05: 0}
    fresh = [call for call in calls(8000, 2, needed) if call[0] > LONG]
    for prompt, need in fresh:
        estimate = estimator.estimate(category="summary", model="m", input_tokens=prompt)
        for rate in cut:
            budget = estimator.budget(estimate, model="m", input_tokens=prompt, max_truncation=rate)
            cut[rate] += need > budget.max_tokens
    assert len(fresh) > 700
    for rate, count in cut.items():
        assert 0.4 * rate < count / len(fresh) < 2.2 * rate
    estimate = estimator.estimate(category="summary", model="m", input_tokens=8000)
    assert estimate.estimated_tokens == pytest.approx(of_8000, rel=0.25)
