"""Budgets that live: from nothing, in a closed loop, through a shift, from censored calls."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from calibration_scores import Score, mean, number, percent
from generated_calls import (
    RATES,
    STRATA,
    cold_start,
    draw,
    judged,
    observe,
    record,
    size,
    steady,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from calibration_pipeline import CallSet, Pipeline
    from calibration_scores import Page
    from generated_calls import Call
    from tokenest_py import Estimator

RATE = 0.05


def from_nothing(pipeline: Pipeline, page: Page, *, memory: bool) -> None:
    """The loop of a first user: floors, then one promotion after another, up to 3,000 calls."""
    rounds = list(cold_start(pipeline.calibrate, memory=memory))
    once = list(cold_start(pipeline.calibrate, rounds=(rounds[-1].calls,), memory=memory))
    page.table(
        f"From nothing at {RATE:.0%}: cut off of fresh calls, in %, by the rate asked for, after"
        " each promotion",
        ["calls", *[f"{rate:.0%}" for rate in RATES], f"reserved {RATE:.0%}"],
        [
            [
                f"{found.calls:,}{note}",
                *[percent(found.truncated[rate]) for rate in RATES],
                number(found.reserved[RATE]),
            ]
            for found, note in [
                *[(found, "") for found in rounds],
                *[(found, ", promoted once") for found in once],
            ]
        ],
    )
    for found, note in ((rounds[-1], ""), (once[-1], ", promoted once")):
        for rate in RATES:
            points = 100 * abs(found.truncated[rate] - rate)
            page.goal(f"from nothing, points from {rate:.0%} after 3,000 calls{note}", points, 1)


def closed_loop(pipeline: Pipeline, page: Page, *, rounds: int = 8, calls: int = 1800) -> None:
    """Budgets decide what is seen, and what is seen decides the next budgets."""
    fresh = steady(10_000, seed=99)
    # The origin's filter drops what was cut off; nothing then says which budgets were ours.
    ways: dict[str, tuple[float, Callable[[dict[str, Any]], dict[str, Any] | None]]] = {
        "control calls 5 %": (0.05, lambda found: found),
        "no control calls": (0.0, lambda found: found),
        "cut off within reasoning": (0.0, _reasoned),
        "truncated dropped": (0.0, _without_truncated),
    }
    shown: dict[str, list[float]] = {}
    for name, (share, keep) in ways.items():
        chance = random.Random(7)
        records = [record(call) for call in steady(calls, seed=7)]
        shown[name] = held = []
        for turn in range(rounds):
            estimator = pipeline.calibrate(records)
            held.append(judged(estimator, fresh).truncated[RATE])
            for call in _later(steady(calls, seed=100 + turn), calls * (turn + 1)):
                if chance.random() < share:
                    records.append(record(call) | {"is_control": True})
                elif found := keep(record(call, size(estimator, call, RATE))):
                    records.append(found)
    page.table(
        f"Closed loop at {RATE:.0%}: cut off after each recalibration, in %",
        ["calls", *[str(turn + 1) for turn in range(rounds)]],
        [[name, *map(percent, held)] for name, held in shown.items()],
    )
    for name in ("control calls 5 %", "cut off within reasoning"):
        held = shown[name]
        page.goal(f"closed loop, {name}, highest round, %", 100 * max(held), 6)
        page.goal(f"closed loop, {name}, lowest round, %", 100 * min(held), math.inf, 3.5)


def _reasoned(found: dict[str, Any]) -> dict[str, Any]:
    return found | {"reasoning_tokens": found["actual_output_tokens"] * 19 // 20}


def _without_truncated(found: dict[str, Any]) -> dict[str, Any] | None:
    ours = {"coefficients_id", "budget_source", "selected_budget"}
    return None if found["truncated"] else {k: v for k, v in found.items() if k not in ours}


def _later(calls: Iterable[Call], first: int) -> list[Call]:
    """The same calls, numbered (and so timed) from a later place on."""
    return [replace(call, number=call.number + first, occurred_at="") for call in calls]


def shift(
    pipeline: Pipeline, page: Page, *, memory: bool, quiet: int = 10_000, batch: int = 1200
) -> None:
    """All needs grow by 1.6 at once: what live calls meet, batch by batch, with a build between."""
    chance = random.Random(11)
    records = [record(call) for call in steady(quiet, seed=11)]
    held = []
    for turn in range(-2, 7):
        estimator = pipeline.calibrate(records)
        cut = 0
        for _ in range(batch):
            scale = 1.6 if turn >= 0 else 1.0
            call = draw(chance.choice(STRATA), len(records), chance, scale)
            cut += _live(estimator, call, records, memory=memory)
        held.append(cut / batch)
    page.table(
        f"Needs x 1.6 at once, at {RATE:.0%}: cut off in each {batch:,} live calls, in %,"
        " two before and seven after",
        ["calls", "-2", "-1", *[str(turn) for turn in range(1, 8)]],
        [["observing" if memory else "builds alone", *map(percent, held)]],
    )
    page.goal("cut off in the sixth batch after the shift, %", 100 * held[7], 7.5)


def _live(estimator: Estimator, call: Call, records: list[dict[str, Any]], *, memory: bool) -> bool:
    """One call under its budget; whether it was cut off."""
    budget = size(estimator, call, RATE)
    records.append(record(call, budget))
    if memory:
        observe(estimator, call, budget)
    return call.need > budget.max_tokens


def censored(sets: Sequence[CallSet], pipelines: Callable[[CallSet], Pipeline], page: Page) -> None:
    """A quarter of the training calls is cut off at ceilings that know nothing of the need."""
    rows = []
    changes: dict[float, list[float]] = {rate: [] for rate in RATES}
    for found in sets:
        cut = _quarter_cut(found)
        versions = {
            "none cut off": found.records[: found.split],
            "a quarter cut off": cut,
            "those dropped": [kept for kept in cut if not kept["truncated"]],
        }
        test = found.judges()
        held: dict[str, list[float]] = {}
        for name, records in versions.items():
            estimator = pipelines(found).calibrate(records)
            held[name] = [
                Score.of(
                    test, (size(estimator, call, rate).max_tokens for call in test), rate
                ).truncation
                for rate in RATES
            ]
            rows.append([f"{found.name}, {name}", *map(percent, held[name])])
        for rate, a, b in zip(RATES, held["a quarter cut off"], held["none cut off"], strict=True):
            changes[rate].append(a - b)
    page.table(
        "A quarter of the training calls cut off: held-out cut off, in %",
        ["training calls", *[f"{rate:.0%}" for rate in RATES]],
        rows,
    )
    for rate in (0.05, 0.02):
        page.goal(
            f"censored less uncensored at {rate:.0%}, points", 100 * mean(changes[rate]), 1, -1
        )


def _quarter_cut(found: CallSet) -> list[Mapping[str, Any]]:
    """Ceilings are other calls' needs of the category, times what makes a quarter fall below."""
    chance = random.Random(3)
    train, records = found.calls[: found.split], found.records[: found.split]
    others = {}
    for category in sorted({call.category for call in train}):
        needs = [call.need for call in train if call.category == category]
        others[category] = chance.sample(needs, len(needs))
    ceilings = [max(others[call.category].pop(), 1) for call in train]
    pairs = list(zip(train, ceilings, strict=True))
    scale = sorted(call.need / ceiling for call, ceiling in pairs)[round(0.75 * len(pairs))]
    return [
        _cut_off(line, call, max(1, round(ceiling * scale)))
        for line, (call, ceiling) in zip(records, pairs, strict=True)
    ]


def _cut_off(line: Mapping[str, Any], call: Call, ceiling: int) -> Mapping[str, Any]:
    ended = {} if call.need <= ceiling else {
        "actual_output_tokens": ceiling, "truncated": True, "success": False,
        "stop_reason": "max_tokens",
    }  # fmt: skip
    return {**line, "actual_max_tokens": ceiling, **ended}
