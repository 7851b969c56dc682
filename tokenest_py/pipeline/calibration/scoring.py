"""Scores the bytes of a table on recorded calls, through the runtime's own Estimator.

What a back-test says of the method, this says of one file: the ceilings that an application would
have sent, had it loaded that very file. The formulas are those of models/backtest, and a test
holds both equal.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING

from tokenest_py.pipeline.calibration.backtest import budgets_by, estimates_by, key_of
from tokenest_py.pipeline.scratch import scratch_folder
from tokenest_py.runtime.estimator import Estimator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tokenest_py.pipeline.calibration.backtest import Call
    from tokenest_py.pipeline.calibration.tables import Table

__all__ = ["ALL", "MOST_CALLS", "Replay", "Score", "lost_quantiles", "replay", "wilson"]

ALL = "all"
MOST_CALLS = 20_000  # the newest of them: a few seconds, and every category that matters
INTERVAL_Z = 1.96


@dataclass(frozen=True, slots=True)
class Score:
    """How the budgets of a table did at one rate, on all calls or those of one category.

    Attributes:
        rate: The rate of truncation that was asked for.
        category: The category, or `all`.
        n: Calls.
        n_truncated: Calls that would certainly have been cut off.
        n_undecidable: Calls that were cut off below the budget: nobody knows.
        truncation: Certain share of truncated calls, and the share with all the undecidable.
        interval: Wilson's interval, 95 %, of the two.
        reserve_ratio: Reserved tokens for each needed, of the calls whose demand is known.
        pinball_loss: Their mean pinball loss, in tokens.
    """

    rate: float
    category: str
    n: int
    n_truncated: int
    n_undecidable: int
    truncation: tuple[float, float]
    interval: tuple[float, float]
    reserve_ratio: float | None
    pinball_loss: float | None


@dataclass(frozen=True, slots=True)
class Replay:
    """What a table would have answered.

    Attributes:
        scores: One for each rate and category.
        has_quantile: For each rate, whether each call got a quantile for that rate.
        median_smape: Median symmetric error of the estimates, of the calls whose demand is known.
    """

    scores: tuple[Score, ...]
    has_quantile: dict[float, tuple[bool, ...]]
    median_smape: float | None

    def overall(self, rate: float) -> Score:
        """The score of all calls at a rate."""
        return next(s for s in self.scores if (s.rate, s.category) == (rate, ALL))


def replay(table: Table, calls: Sequence[Call], rates: Iterable[float]) -> Replay:
    """Size the calls with the bytes of a table at each rate."""
    with scratch_folder() as folder:
        path = folder / "coefficients.ndjson"
        path.write_bytes(table.data)
        estimator = Estimator.load(path, strict=True)
    budget, estimate = budgets_by(estimator), estimates_by(estimator)
    scores: list[Score] = []
    has_quantile = {}
    for rate in rates:
        budgets = [budget(call, rate) for call in calls]
        has_quantile[rate] = tuple(
            [b.quantile_rate is not None and b.quantile_rate <= rate for b in budgets]
        )
        groups: dict[str, list[tuple[Call, int]]] = defaultdict(list)
        for call, found in zip(calls, budgets, strict=True):
            for name in (ALL, call.category or "unknown"):
                groups[name].append((call, found.max_tokens))
        scores += [_score(rate, name, sized) for name, sized in groups.items()]
    smapes = [
        _smape(estimate(*key_of(call)).estimated_tokens, call.demand_tokens)
        for call in calls
        if call.is_observed
    ]
    return Replay(tuple(scores), has_quantile, median(smapes) if smapes else None)


def lost_quantiles(present: Replay, proposed: Replay) -> dict[float, float]:
    """For each rate, the share of the calls that have a quantile now and would have none."""
    shares = {}
    for rate, before in present.has_quantile.items():
        pairs = zip(before, proposed.has_quantile[rate], strict=True)
        shares[rate] = sum(had and not has for had, has in pairs) / max(len(before), 1)
    return shares


def wilson(events: int, trials: int, sign: int) -> float:
    """The lower (sign -1) or upper (1) end of Wilson's interval of a rate."""
    z = INTERVAL_Z
    spread = z * sqrt(events * (trials - events) / trials + z * z / 4)
    return min(max((events + z * z / 2 + sign * spread) / (trials + z * z), 0.0), 1.0)


def _score(rate: float, category: str, sized: Sequence[tuple[Call, int]]) -> Score:
    truncated = undecidable = needed = reserved = observed = 0
    loss = 0.0
    for call, tokens in sized:
        if call.is_observed:
            over = call.demand_tokens - tokens
            truncated += over > 0
            loss += (1 - rate) * over if over > 0 else -rate * over
            needed, reserved, observed = (
                needed + call.demand_tokens,
                reserved + tokens,
                observed + 1,
            )
        elif call.demand_tokens >= tokens:
            truncated += 1
        else:
            undecidable += 1
    n, most = len(sized), truncated + undecidable
    return Score(
        rate, category, n, truncated, undecidable, (truncated / n, most / n),
        (wilson(truncated, n, -1), wilson(most, n, 1)),
        reserved / needed if needed else None, loss / observed if observed else None,
    )  # fmt: skip


def _smape(predicted: int, actual: int) -> float:
    return 200 * abs(predicted - actual) / (predicted + actual) if predicted + actual else 0.0
