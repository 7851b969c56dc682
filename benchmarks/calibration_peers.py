"""What a user would do instead: constants, the maximum, moving averages, and a learned referee.

Peers that go by what they saw live as the runtime does: of a call that is cut off they see the
ceiling, not the need. The referee's features are made of the true needs, which favours it.
"""

from __future__ import annotations

import bisect
import json
import math
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from generated_calls import RATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from generated_calls import Call

ROUNDS = 200
EMA_FLOOR, EMA_CEILING, EMA_STEP = 8192, 32_000, 0.1
SAME, RICH = "LightGBM + CQR, same", "LightGBM + CQR, rich"


def simple_peers(
    train: Sequence[Call], test: Sequence[Call], maxima: Sequence[int]
) -> dict[str, list[float]]:
    """The budgets of each peer that has no rate to ask for."""
    return {
        "fixed 1,000": [1000.0] * len(test),
        "fixed 4,096": [4096.0] * len(test),
        "the model's maximum": [float(most) for most in maxima],
        "3 x moving average": moving_average(train, test, floor=1),
        "3 x moving average, floor 8,192": moving_average(train, test, floor=EMA_FLOOR),
        "running P95 of the category": running_p95(train, test),
    }


def moving_average(train: Iterable[Call], test: Iterable[Call], *, floor: int) -> list[float]:
    """Three times the moving average of the outputs of a category and model.

    A pair that is new starts at the average of all calls, and nothing known is the ceiling.
    """
    averages: dict[object, float] = {}

    def see(call: Call, tokens: float) -> None:
        for key in ((call.category, call.model), None):
            before = averages.get(key, tokens)
            averages[key] = before + EMA_STEP * (tokens - before)

    for call in train:
        see(call, call.need)
    budgets = []
    for call in test:
        average = averages.get((call.category, call.model), averages.get(None, EMA_CEILING))
        budget = max(min(3 * average, EMA_CEILING), floor)
        budgets.append(budget)
        see(call, min(call.need, budget))
    return budgets


def running_p95(train: Iterable[Call], test: Iterable[Call]) -> list[float]:
    """The 95th percentile of all that the category has shown; a new one starts at that of all."""
    seen: dict[str | None, list[float]] = defaultdict(list)

    def see(call: Call, tokens: float) -> None:
        bisect.insort(seen[call.category or ""], tokens)
        bisect.insort(seen[None], tokens)

    for call in train:
        see(call, call.need)
    budgets = []
    for call in test:
        values = seen[call.category or ""] or seen[None]
        budget = values[math.ceil(0.95 * len(values)) - 1]
        budgets.append(budget)
        see(call, min(call.need, budget))
    return budgets


# --- the referee ------------------------------------------------------------------------------


def has_lightgbm(python: Path | None) -> bool:
    """Whether the referee can run at all."""
    if python is None:
        return False
    try:
        done = subprocess.run([python, "-c", "import lightgbm"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def referee(
    python: Path, train: Sequence[Call], test: Sequence[Call], estimates: Sequence[float]
) -> dict[str, dict[float, list[float]]]:
    """Budgets of LightGBM with conformalised quantile regression: peer, rate, call.

    `estimates` are the base estimates of train and test: tokenest sees the deliverables through
    them, and so does the referee.
    """
    same = _same_features([*train, *test], estimates)
    rich = [a + b for a, b in zip(same, _so_far([*train, *test]), strict=True)]
    jobs = {
        name: {
            "train": rows[: len(train)],
            "needs": [call.need for call in train],
            "test": rows[len(train) :],
        }
        for name, rows in ((SAME, same), (RICH, rich))
    }
    request = {"jobs": jobs, "rates": RATES, "categorical": 4, "rounds": ROUNDS}
    script = Path(__file__).with_name("lightgbm_cqr.py")
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(request, file)
        file.flush()
        done = subprocess.run(
            [python, script, file.name], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(f"the referee failed:\n{done.stderr[-2000:]}")
    return {
        name: {float(rate): budgets for rate, budgets in found.items()}
        for name, found in json.loads(done.stdout).items()
    }


def _same_features(calls: Sequence[Call], estimates: Sequence[float]) -> list[list[float]]:
    """What tokenest is told: category, complexity, model, labels, prompt, base estimate.

    Without deliverables the estimate is a median of the very calls that the referee learns from.
    """
    codes: list[dict[object, float]] = [{}, {}, {}, {}]
    rows = []
    for call, estimate in zip(calls, estimates, strict=True):
        values = (call.category, call.complexity, call.model, tuple(sorted(call.labels.items())))
        coded = [
            code.setdefault(v, float(len(code))) for code, v in zip(codes, values, strict=True)
        ]
        size = math.log(call.input_tokens) if call.input_tokens else math.nan
        rows.append([*coded, size, math.log(max(estimate, 1)) if call.deliverables else math.nan])
    return rows


def _so_far(calls: Iterable[Call]) -> list[list[float]]:
    """Attempt, place in the run, what the run needed before; model and category so far."""
    sums: dict[object, list[float]] = defaultdict(lambda: [0.0, 0.0, math.nan])  # n, sum, last
    rows = []
    for call in calls:
        of_run = sums["run", call.run_id]
        in_category = sums["run", call.run_id, call.category]
        row = [float(call.attempt or 1), of_run[0], of_run[2], in_category[2]]
        groups = (
            of_run,
            in_category,
            sums["model", call.model],
            sums["category", call.category],
            sums["both", call.model, call.category],
        )
        for n, total, _ in groups:
            row += [n, total / n if n else math.nan]
        rows.append(row)
        need = math.log(call.need) if call.need > 0 else 0.0
        for group in groups:
            group[:] = [group[0] + 1, group[1] + need, need]
    return rows
