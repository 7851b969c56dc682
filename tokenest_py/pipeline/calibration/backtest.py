"""Replays the past: what would budgets have been, made from earlier calls only, and did they hold?

The newest share of the calls is cut into rounds. Before each round the coefficients are
calibrated again on the calls before it, and the round's calls are sized with them by the real
runtime. Beside them stand a given table, and what the origin and simpler rules would have given.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import NoDataError
from tokenest_py.pipeline.database import read, read_view
from tokenest_py.pipeline.report.words import count
from tokenest_py.runtime.estimator import Estimator
from tokenest_py.runtime.labels import ARGUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import TypeAlias

    import duckdb

    from tokenest_py.pipeline.calibration.refit import Refit
    from tokenest_py.runtime.budget import Budget
    from tokenest_py.runtime.results import TokenEstimate

    Sizer: TypeAlias = Callable[["Call", float], int]
    # deliverables, category, complexity, labels
    Key: TypeAlias = tuple[tuple[str, ...], str | None, str | None, str | None]

__all__ = [
    "GIVEN_TABLE", "REFITTED", "Call", "backtest", "budgets_by", "estimates_by", "key_of",
    "read_calls", "rounds_of",
]  # fmt: skip

REFITTED = "refitted"  # the subject that was calibrated again before each round
GIVEN_TABLE = "given table"
T5_MINIMUM = 5
T5_BUFFER = 1.2

SCORES = """
    select *
    from backtest.backtest_scores
    order by max_truncation, stratification = 'overall' desc, stratification, category,
        complexity, subject
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One logical call, observed or cut off, with what its budget would have been made from."""

    call_id: str
    occurred_at: datetime
    category: str | None
    complexity: str | None
    labels: str | None  # JSON text, as landed
    model: str | None
    input_tokens: int | None
    deliverables: list[str]
    predicted_output_tokens: int | None
    demand_tokens: int
    is_observed: bool


def read_calls(connection: duckdb.DuckDBPyConnection) -> list[Call]:
    """The calls that say something about demand, in order of time."""
    found = read_view(connection, "cmd_backtest_calls")
    return [Call(**row | {"deliverables": row["deliverables"] or []}) for row in found]


def rounds_of(calls: Sequence[Call], *, share: float, rounds: int) -> list[list[Call]]:
    """The newest share of the calls in rounds of about equal size; equal times stay together.

    Raises NoDataError when there are too few calls before or in the rounds.
    """
    first = round(len(calls) * (1 - share))
    bounds = [first + (len(calls) - first) * i // rounds for i in range(rounds)]
    starts: list[int] = []
    for bound in bounds:
        start = bound
        while 0 < start < len(calls) and calls[start].occurred_at == calls[start - 1].occurred_at:
            start += 1
        if 0 < start < len(calls) and start not in starts:
            starts.append(start)
    if not starts:
        reason = (
            f"{count(len(calls), 'call is', 'calls are')} too few to hold some back; collect more"
        )
        raise NoDataError(reason)
    ends = [*starts[1:], len(calls)]
    return [list(calls[start:end]) for start, end in zip(starts, ends, strict=True)]


def backtest(
    refit: Refit,
    rounds: Sequence[Sequence[Call]],
    rates: Sequence[float],
    tables: Mapping[str, Path],
    report: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Score the rounds; return the rows of backtest.backtest_scores.

    Args:
        refit: Where to calibrate again.
        rounds: What `rounds_of` returned.
        rates: Rates of truncation, ratios.
        tables: Coefficients files to score as they are, by the name to show.
        report: Called with a line of progress before each round.
    """
    fixed = {name: sized_by(Estimator.load(path, strict=True)) for name, path in tables.items()}
    floors = sized_by(Estimator.load(_packaged(), strict=True))
    scored = refit.folder / "scored_calls.csv"
    with scored.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, calls in enumerate(rounds, 1):
            report(f"round {number} of {len(rounds)}: {len(calls)} calls")
            table = refit.calibrate(calls[0].occurred_at)
            subjects = {
                REFITTED: sized_by(Estimator.load(table, strict=True)),
                **fixed,
                **_baselines(refit, floors),
            }
            writer.writerows(_scored(subjects, calls, rates))
    with refit.connect() as connection:
        connection.execute("create schema if not exists backtest")
        connection.execute(
            "create or replace table backtest.scored_calls as from read_csv(?, header = false,"
            " columns = {subject: 'varchar', call_id: 'varchar', category: 'varchar',"
            " complexity: 'varchar', max_truncation: 'double', budget_tokens: 'bigint',"
            " demand_tokens: 'bigint', is_observed: 'boolean'})",
            [str(scored)],
        )
    refit.score()
    with refit.connect() as connection:
        return read(connection, SCORES)


def sized_by(estimator: Estimator) -> Sizer:
    """The budget that an estimator gives a call at a rate, in tokens."""
    budget = budgets_by(estimator)
    return lambda call, rate: budget(call, rate).max_tokens


def budgets_by(estimator: Estimator) -> Callable[[Call, float], Budget]:
    """The budget that an estimator gives a call at a rate."""
    estimate = estimates_by(estimator)

    @cache
    def budget(
        key: Key,
        model: str | None,
        input_tokens: int | None,
        rate: float,
    ) -> Budget:
        return estimator.budget(
            estimate(*key), model=model, input_tokens=input_tokens, max_truncation=rate
        )

    return lambda call, rate: budget(key_of(call), call.model, call.input_tokens, rate)


def key_of(call: Call) -> Key:
    """What the estimate of a call is made from."""
    return tuple(call.deliverables), call.category, call.complexity, call.labels


def estimates_by(estimator: Estimator) -> Callable[..., TokenEstimate]:
    """The estimate of a key, made once."""

    @cache
    def estimate(
        deliverables: tuple[str, ...],
        category: str | None,
        complexity: str | None,
        labels: str | None = None,
    ) -> TokenEstimate:
        landed = json.loads(labels) if labels else {}
        further = {name: value for name, value in landed.items() if name not in ARGUMENTS}
        return estimator.estimate(deliverables, category, complexity, labels=further)

    return estimate


def _baselines(refit: Refit, floors: Sizer) -> dict[str, Sizer]:
    with refit.connect() as connection:
        multipliers = read(connection, "select * from marts.multipliers order by n")
        budgets = read(connection, "select * from intermediate.int_budget_quantiles")
    t5 = {
        (row["category"], row["complexity"]): row["multiplier"]
        for row in multipliers
        if row["method"] == "t5_exact" and row["n"] >= T5_MINIMUM
    }
    root = {
        row["max_truncation"]: row["budget_strict_tokens"]
        for row in budgets
        if row["cell_level"] == 0
    }
    estimate = estimates_by(Estimator.load(_packaged(), strict=True))

    def origin(call: Call, _: float) -> int:
        predicted = call.predicted_output_tokens
        if predicted is None:
            found = estimate(tuple(call.deliverables), call.category, call.complexity)
            predicted = found.base_tokens
        cell = (call.category or "unknown", call.complexity or "unknown")
        return max(1, int(T5_BUFFER * predicted * t5.get(cell, 1.0)))

    def one_quantile(call: Call, rate: float) -> int:
        tokens = root.get(rate)
        return floors(call, rate) if tokens is None else int(tokens)

    return {"origin x 1.2": origin, "floors": floors, "one quantile": one_quantile}


def _scored(
    subjects: Mapping[str, Sizer], calls: Sequence[Call], rates: Sequence[float]
) -> Iterator[tuple[object, ...]]:
    for name, size in subjects.items():
        for rate in rates:
            for call in calls:
                yield (
                    name, call.call_id, call.category, call.complexity, rate, size(call, rate),
                    call.demand_tokens, call.is_observed,
                )  # fmt: skip


def _packaged() -> str:
    from tokenest_py.runtime.table import PACKAGED

    return PACKAGED
