"""The benchmark's calls, generated and public, and how budgets are scored on them."""

from __future__ import annotations

import json
import math
import random
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from calibration_pipeline import sizes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tokenest_py import Estimator

START = datetime(2026, 1, 1, tzinfo=UTC)
missed: list[str] = []


@dataclass(frozen=True, slots=True)
class Stratum:
    """Generated calls of one kind: lognormal demand that grows with the prompt."""

    category: str
    complexity: str
    median: float
    sigma: float
    growth: float  # exponent of the prompt's size


STRATA = (
    Stratum("implementation", "low", 900, 0.6, 0.2),
    Stratum("implementation", "high", 3000, 0.8, 0.1),
    Stratum("testing", "low", 1400, 0.4, 0.3),
    Stratum("documentation", "low", 2200, 0.9, 0.0),
    Stratum("judge", "low", 60, 0.5, 0.1),
    Stratum("chat", "medium", 350, 1.0, 0.2),
)


def draw(stratum: Stratum, chance: random.Random, scale: float = 1.0) -> tuple[int, int]:
    """Prompt and demand of one call, in tokens."""
    prompt = max(1, round(chance.lognormvariate(7, 0.8)))
    centre = stratum.median * scale * (prompt / 1100) ** stratum.growth
    return prompt, max(1, round(chance.lognormvariate(math.log(centre), stratum.sigma)))


def event(number: int, **fields: object) -> dict[str, Any]:
    """A staged event; later numbers are later calls."""
    return {
        "event_id": f"e{number:08}",
        "occurred_at": (START + timedelta(seconds=number)).replace(tzinfo=None).isoformat(),
        "run_id": "r",
        "phase_id": f"p{number:08}",
        "model": "m",
        "is_truncated": False,
        "is_success": True,
        "is_control": False,
    } | fields


def observed(
    number: int, category: str, prompt: int, demand: int, **fields: object
) -> dict[str, Any]:
    """A call that ended by itself, under no ceiling."""
    return event(
        number, category=category, input_tokens=prompt, actual_output_tokens=demand, **fields
    )


def cut_off(found: dict[str, Any], ceiling: int) -> dict[str, Any]:
    """The same call under a ceiling."""
    if found["actual_output_tokens"] <= ceiling:
        return found | {"actual_max_tokens": ceiling}
    return found | {
        "actual_max_tokens": ceiling,
        "actual_output_tokens": ceiling,
        "is_truncated": True,
        "is_success": False,
    }


def pinball(demand: float, budget: float, rate: float) -> float:
    """Loss of one budget: a missing token costs 1 - rate, a spare one the rate."""
    return (1 - rate) * (demand - budget) if demand > budget else rate * (budget - demand)


@dataclass(frozen=True, slots=True)
class Score:
    """How budgets held on held-out calls."""

    truncation: float
    loss: float
    reserved: float

    @classmethod
    def of(cls, demands: Sequence[int], budgets: Sequence[float], rate: float) -> Score:
        """The score of one budget a call."""
        pairs = list(zip(demands, budgets, strict=True))
        return cls(
            statistics.fmean(demand > budget for demand, budget in pairs),
            statistics.fmean(pinball(demand, budget, rate) for demand, budget in pairs),
            sum(budgets) / sum(demands),
        )


def goal(name: str, figure: float, low: float, high: float) -> str:
    """A mark for the table; a missed goal is remembered."""
    if low <= figure <= high:
        return "ok"
    missed.append(f"{name}: {figure:.4f} is not within {low:g} and {high:g}")
    return "MISSED"


def budgets_of(estimator: Estimator, calls: Sequence[dict[str, Any]], rate: float) -> list[int]:
    """What the runtime gives each call."""
    size = sizes(estimator)
    return [
        size(call["category"], call.get("complexity"), call["model"], call["input_tokens"], rate)
        for call in calls
    ]


def public_sets(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The public traces, each in order of time."""
    sets = {}
    for path in sorted(folder.glob("*.ndjson")):
        lines = path.read_text(encoding="utf-8").splitlines()
        records = sorted(map(json.loads, lines), key=lambda r: (r["occurred_at"], r["event_id"]))
        sets[path.stem] = [
            observed(
                number, r["category"], r["input_tokens"], r["actual_output_tokens"], model=None
            )
            for number, r in enumerate(records)
        ]
    return sets


def generated_set(seed: int, calls: int = 12_000) -> list[dict[str, Any]]:
    """Calls of all strata, mixed."""
    chance = random.Random(seed)
    found = []
    for number in range(calls):
        stratum = chance.choice(STRATA)
        prompt, demand = draw(stratum, chance)
        found.append(
            observed(number, stratum.category, prompt, demand, complexity=stratum.complexity)
        )
    return found
