"""Budgets in a closed loop, and under a sudden drift of demand: generated calls only."""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING, Any

from calibration_calls import STRATA, Stratum, cut_off, draw, goal, observed
from calibration_pipeline import sizes

if TYPE_CHECKING:
    from collections.abc import Callable

    from calibration_pipeline import Pipeline


def closed_loop(
    windows: dict[str, Pipeline],
    *,
    rounds: int = 12,
    calls: int = 300,
    rate: float = 0.05,
) -> None:
    """Budgets decide what is seen, and what is seen decides the next budgets."""
    print(f"\nClosed loop: truncation at {rate:.0%} after each of {rounds} recalibrations,"
          f" {len(STRATA)} strata, {calls} calls each a round")  # fmt: skip
    variants: dict[str, tuple[str, float, Callable[[dict[str, Any]], dict[str, Any] | None]]] = {
        "control calls 5 %": ("default", 0.05, lambda found: found),
        "no control calls": ("default", 0.0, lambda found: found),
        # whoever drops truncated calls cannot see them in a feedback either
        "origin's filter": ("no feedback", 0.0, lambda f: None if f["is_truncated"] else f),
    }
    for name, (window, share, keep) in variants.items():
        held = _loop(windows[window], share, keep, rounds, calls, rate)
        mark = ""
        if name == "control calls 5 %":
            goal("closed loop, lowest round", min(held), 0.035, 1)
            mark = goal("closed loop, highest round", max(held), 0, 0.06)
        print(f"{name:20}" + " ".join(f"{figure:6.2%}" for figure in held) + f"  {mark}")


def _loop(
    pipeline: Pipeline,
    control_share: float,
    keep: Callable[[dict[str, Any]], dict[str, Any] | None],
    rounds: int,
    calls: int,
    rate: float,
) -> list[float]:
    chance = random.Random(7)
    judges = [(stratum, draw(stratum, chance)) for stratum in STRATA for _ in range(4000)]
    kept: list[dict[str, Any]] = []
    number = 0
    for stratum in STRATA:
        for _ in range(calls):
            prompt, demand = draw(stratum, chance)
            fields = {"complexity": stratum.complexity}
            kept.append(observed(number, stratum.category, prompt, demand, **fields))
            number += 1
    held = []
    for _ in range(rounds):
        size = sizes(pipeline.calibrate(kept))
        held.append(
            statistics.fmean(
                demand > size(stratum.category, stratum.complexity, "m", prompt, rate)
                for stratum, (prompt, demand) in judges
            )
        )
        for stratum in STRATA:
            for _ in range(calls):
                prompt, demand = draw(stratum, chance)
                found = observed(
                    number, stratum.category, prompt, demand, complexity=stratum.complexity
                )
                number += 1
                if chance.random() < control_share:
                    kept.append(found | {"is_control": True})
                    continue
                ceiling = size(stratum.category, stratum.complexity, "m", prompt, rate)
                seen = keep(
                    cut_off(found, ceiling) | {"selected_budget": ceiling, "coefficients_id": "x"}
                )
                if seen is not None:
                    kept.append(seen)
    return held


def drift(
    windows: dict[str, Pipeline], *, rate: float = 0.05, batch: int = 200, quiet: int = 10_000
) -> None:
    """Demand grows by 1.6 at once, after a long quiet time; how long until the budgets hold?"""
    print(f"\nDemand x 1.6 after {quiet} quiet calls: truncation at {rate:.0%} in each {batch}"
          " calls of a category, from the shift on (mean of the strata)")  # fmt: skip
    for name, pipeline in windows.items():
        found = [_shifted(pipeline, stratum, rate, batch, quiet) for stratum in STRATA]
        held = [statistics.fmean(column) for column in zip(*found, strict=True)]
        mark = ""
        if name == "default":
            # the 1,000 calls after the shift are five batches; the sixth has to hold
            mark = goal("truncation 1,000 calls after the shift", held[5], 0, 1.5 * rate)
        print(f"{name:20}" + " ".join(f"{figure:6.2%}" for figure in held) + f"  {mark}")


def _shifted(
    pipeline: Pipeline, stratum: Stratum, rate: float, batch: int, quiet: int
) -> list[float]:
    chance = random.Random(11)
    kept = [
        observed(number, stratum.category, *draw(stratum, chance), complexity=stratum.complexity)
        for number in range(quiet)
    ]
    number = quiet
    held = []
    for round_ in range(14):
        scale = 1.6 if round_ >= 5 else 1.0
        size = sizes(pipeline.calibrate(kept))
        judges = [draw(stratum, chance, scale) for _ in range(2000)]
        if round_ >= 5:
            held.append(
                statistics.fmean(
                    demand > size(stratum.category, stratum.complexity, "m", prompt, rate)
                    for prompt, demand in judges
                )
            )
        for _ in range(batch):
            prompt, demand = draw(stratum, chance, scale)
            found = observed(
                number, stratum.category, prompt, demand, complexity=stratum.complexity
            )
            number += 1
            if chance.random() < 0.05:
                kept.append(found | {"is_control": True})
                continue
            ceiling = size(stratum.category, stratum.complexity, "m", prompt, rate)
            kept.append(
                cut_off(found, ceiling) | {"selected_budget": ceiling, "coefficients_id": "x"}
            )
    return held
