"""Do the budgets hold their promise? Held-out, censored, closed-loop and drifting calls.

    python benchmarks/calibration.py [--public FOLDER] [--referee PYTHON] [--only PART]

Every figure comes from the project's own SQL and the real runtime; `make bench` sets up the
referee's environment. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibration_calls import (
    Score,
    budgets_of,
    cut_off,
    generated_set,
    goal,
    missed,
    public_sets,
)
from calibration_loops import closed_loop, drift
from calibration_pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RATES = (0.05, 0.02)
TOLERANCE = {0.05: 0.01, 0.02: 0.007}
LESS_THAN_ORIGIN = {0.05: 0.4, 0.02: 0.6}
WHOLE = {"history_calls": 0, "history_days": 0}


def origin_budgets(train: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]]) -> list[float]:
    """The origin's rule x 1.2: an engineer's guess, times the upper median of actual / guess.

    These traces carry no prediction: the guess is 1.3 times the median of a category's first 20.
    """
    budgets = {}
    for category in {call["category"] for call in train}:
        demands = [c["actual_output_tokens"] for c in train if c["category"] == category]
        guess = 1.3 * statistics.median(demands[:20])
        ratios = sorted(demand / guess for demand in demands)
        multiplier = ratios[len(ratios) // 2] if len(ratios) >= 5 else 1.0
        budgets[category] = 1.2 * multiplier * guess
    return [budgets[call["category"]] for call in test]


def referee_budgets(
    python: Path | None, calls: Sequence[dict[str, Any]], folder: Path
) -> dict[float, list[float]]:
    """LightGBM with conformalised quantile regression, one model for each category."""
    if python is None:
        return {}
    split, end = round(0.45 * len(calls)), round(0.6 * len(calls))
    found: dict[float, list[float]] = {rate: [math.nan] * (len(calls) - end) for rate in RATES}
    for category in sorted({call["category"] for call in calls}):

        def pairs(part: Iterable[dict[str, Any]], category: str = category) -> list[list[int]]:
            return [
                [call["input_tokens"], call["actual_output_tokens"]]
                for call in part
                if call["category"] == category
            ]

        file = folder / "referee.json"
        file.write_text(
            json.dumps(
                {
                    "fit": pairs(calls[:split]),
                    "conform": pairs(calls[split:end]),
                    "test": pairs(calls[end:]),
                    "rates": RATES,
                }
            ),
            encoding="utf-8",
        )
        script = Path(__file__).with_name("lightgbm_cqr.py")
        done = subprocess.run([python, script, file], capture_output=True, text=True, check=True)
        places = [i for i, call in enumerate(calls[end:]) if call["category"] == category]
        for rate, budgets in json.loads(done.stdout).items():
            for place, budget in zip(places, budgets, strict=True):
                found[float(rate)][place] = budget
    return found


def held_out(
    sets: dict[str, list[dict[str, Any]]],
    windows: dict[str, Pipeline],
    referee: Path | None,
    folder: Path,
) -> None:
    """The first 60 % calibrate, the last 40 % judge."""
    print("\nHeld-out 40 %: truncation, and pinball loss as a ratio to the referee and the origin")
    print(f"{'set':24}{'budgets':12}{'rate':>5} {'cut off':>8} {'/referee':>9} {'/origin':>8}"
          f" {'reserved':>9}")  # fmt: skip
    ratios: dict[tuple[str, float], list[tuple[float, float, float]]] = {}
    for name, calls in sets.items():
        end = round(0.6 * len(calls))
        train, test = calls[:end], calls[end:]
        demands = [call["actual_output_tokens"] for call in test]
        judged = referee_budgets(referee, calls, folder)
        for rate in RATES:
            origin = Score.of(demands, origin_budgets(train, test), rate)
            scores = {"origin x 1.2": origin}
            for window in ("default", "all calls"):
                estimator = windows[window].calibrate(train)
                scores[window] = Score.of(demands, budgets_of(estimator, test, rate), rate)
            if judged:
                scores["referee"] = Score.of(demands, judged[rate], rate)
            for budgets, score in scores.items():
                against = score.loss / scores["referee"].loss if judged else math.nan
                _line(name, budgets, rate, score.truncation, against, score.loss / origin.loss,
                      f"{score.reserved:9.2f}")  # fmt: skip
                ratios.setdefault((budgets, rate), []).append(
                    (score.truncation, against, score.loss / origin.loss)
                )
    for (budgets, rate), rows in ratios.items():
        truncation = statistics.fmean(row[0] for row in rows)
        against = _geometric_mean([row[1] for row in rows])
        origin_ratio = _geometric_mean([row[2] for row in rows])
        marks = ""
        if budgets == "default":
            at, spread = f"at {rate:.0%}", TOLERANCE[rate]
            marks = goal(f"held-out truncation {at}", truncation, rate - spread, rate + spread)
            if referee:
                marks += " " + goal(f"pinball against the referee {at}", against, 0, 1.05)
            most = 1 - LESS_THAN_ORIGIN[rate]
            marks += " " + goal(f"pinball against the origin {at}", origin_ratio, 0, most)
        _line("ALL (mean)", budgets, rate, truncation, against, origin_ratio, marks)


def _line(
    name: str, budgets: str, rate: float, truncation: float, against: float, origin: float, end: str
) -> None:
    print(f"{name:24}{budgets:12}{rate:5.0%} {truncation:8.2%} {against:9.3f} {origin:8.3f} {end}")


def _geometric_mean(ratios: Sequence[float]) -> float:
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


# --- censored training calls ------------------------------------------------------------------


def censored(sets: dict[str, list[dict[str, Any]]], pipeline: Pipeline) -> None:
    """A quarter of the training calls is cut off at ceilings that know nothing of the demand."""
    print("\nA quarter of the training calls cut off: held-out truncation")
    print(f"{'set':24}{'rate':>5} {'uncensored':>11} {'censored':>9} {'dropped':>8}")
    differences: dict[float, list[float]] = {rate: [] for rate in RATES}
    for name, calls in sets.items():
        end = round(0.6 * len(calls))
        train, test = calls[:end], calls[end:]
        demands = [call["actual_output_tokens"] for call in test]
        cut = _quarter_cut(train)
        versions = {
            "uncensored": train,
            "censored": cut,
            "dropped": [call for call in cut if not call["is_truncated"]],
        }
        found = {kind: pipeline.calibrate(version) for kind, version in versions.items()}
        for rate in RATES:
            held = {
                kind: Score.of(demands, budgets_of(estimator, test, rate), rate).truncation
                for kind, estimator in found.items()
            }
            differences[rate].append(held["censored"] - held["uncensored"])
            print(f"{name:24}{rate:5.0%} {held['uncensored']:11.2%} {held['censored']:9.2%}"
                  f" {held['dropped']:8.2%}")  # fmt: skip
    for rate, found_differences in differences.items():
        mean = statistics.fmean(found_differences)
        mark = goal(f"censored less uncensored at {rate:.0%}", mean, -0.01, 0.01)
        print(f"{'ALL (mean difference)':24}{rate:5.0%} {mean:+11.2%} {mark}")


def _quarter_cut(train: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ceilings are other calls' demands of the category, times what makes a quarter fall below."""
    chance = random.Random(3)
    others = {}
    for category in sorted({call["category"] for call in train}):
        demands = [c["actual_output_tokens"] for c in train if c["category"] == category]
        others[category] = chance.sample(demands, len(demands))
    ceilings = [others[call["category"]].pop() for call in train]
    pairs = [
        (call["actual_output_tokens"], ceiling)
        for call, ceiling in zip(train, ceilings, strict=True)
    ]
    factor = sorted(demand / ceiling for demand, ceiling in pairs)[round(0.75 * len(pairs))]
    return [
        cut_off(call, max(1, round(ceiling * factor)))
        for call, ceiling in zip(train, ceilings, strict=True)
    ]


def _has_lightgbm(python: Path | None) -> bool:
    if python is None:
        return False
    try:
        done = subprocess.run([python, "-c", "import lightgbm"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def main() -> None:
    """Run all parts, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--public", type=Path, default=Path("../shared/data/public"))
    parser.add_argument("--referee", type=Path, help="a Python that has lightgbm")
    parser.add_argument("--only", choices=["held-out", "censored", "loop", "drift"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tokenest-bench-") as name:
        folder = Path(name)
        target = {"target_truncation": 0.05}
        windows = {
            "default": Pipeline(folder / "default", target),
            "all calls": Pipeline(folder / "whole", target | WHOLE),
            "no feedback": Pipeline(folder / "no-feedback", target | {"online_step": 0}),
        }
        sets = public_sets(options.public)
        if not sets:
            print(f"no public traces in {options.public}: generated calls only")
        sets["generated"] = generated_set(1)
        referee = options.referee if _has_lightgbm(options.referee) else None
        if referee is None:
            print("no LightGBM (--referee PYTHON): its columns are left out")
        if options.only in (None, "held-out"):
            held_out(sets, windows, referee, folder)
        if options.only in (None, "censored"):
            censored(sets, windows["default"])
        if options.only in (None, "loop"):
            closed_loop(windows)
        if options.only in (None, "drift"):
            drift(windows)
    for line in missed:
        print(f"missed: {line}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
