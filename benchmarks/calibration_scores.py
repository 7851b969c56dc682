"""How budgets held on calls that they had not seen, goals, and the tables that show it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from generated_calls import Call

MOST_CALLS_OF_A_BLOCK = 50
FEWEST_CLUSTERS = 30
FEWEST_CALLS_OF_A_GROUP = 100


def clusters(calls: Sequence[Call]) -> np.ndarray:
    """A number a call: its run, or, where fewer than 30 runs are there, its block of 50 calls."""
    runs: dict[str, int] = {}
    numbers = np.array([runs.setdefault(call.run_id, len(runs)) for call in calls])
    if len(runs) >= FEWEST_CLUSTERS:
        return numbers
    return np.arange(len(calls)) // MOST_CALLS_OF_A_BLOCK


@dataclass(frozen=True, slots=True)
class Score:
    """One way to budget at one rate on one set: a loss and a verdict for each call."""

    rate: float
    truncation: float
    error: float  # standard error of the truncation, by cluster
    reserved: float  # tokens of budget for each token needed
    worst: float  # truncation of the worst model or category with 100 calls
    cut: np.ndarray
    losses: np.ndarray
    clusters: np.ndarray

    @classmethod
    def of(cls, calls: Sequence[Call], budgets: Iterable[float], rate: float) -> Score:
        """The score of one budget a call."""
        ceilings = np.fromiter(budgets, float, len(calls))
        needs = np.array([call.need for call in calls], float)
        cut = needs > ceilings
        groups = clusters(calls)
        return cls(
            rate,
            float(cut.mean()),
            _error(cut - cut.mean(), groups),
            float(ceilings.sum() / needs.sum()),
            _worst(calls, cut),
            cut,
            pinball(needs, ceilings, rate),
            groups,
        )

    @property
    def distance(self) -> float:
        """How far the truncation is from the rate asked for."""
        return abs(self.truncation - self.rate)

    @property
    def loss(self) -> float:
        """The mean pinball loss."""
        return float(self.losses.mean())

    def against(self, other: Score) -> tuple[float, float]:
        """The loss as a ratio to another's, and the ratio's standard error by cluster."""
        ratio = self.loss / other.loss
        spread = (self.losses - ratio * other.losses) / other.loss
        return ratio, _error(spread, self.clusters)


def pinball(needs: np.ndarray, ceilings: np.ndarray, rate: float) -> np.ndarray:
    """Loss of each budget: a missing token costs 1 - rate, a spare one the rate."""
    missing = needs - ceilings
    losses: np.ndarray = np.maximum((1 - rate) * missing, -rate * missing)
    return losses


def _error(deviations: np.ndarray, groups: np.ndarray) -> float:
    """Standard error of a mean whose deviations are alike within a cluster."""
    sums = np.bincount(groups, deviations)
    return float(np.sqrt((sums**2).sum()) / len(deviations))


def _worst(calls: Sequence[Call], cut: np.ndarray) -> float:
    """The truncation of the worst model or category of at least 100 calls; nan without any."""
    worst = math.nan
    for keys in ([call.model for call in calls], [call.category for call in calls]):
        for key, n in Counter(keys).items():
            if key is not None and n >= FEWEST_CALLS_OF_A_GROUP:
                share = float(cut[[found == key for found in keys]].mean())
                worst = share if math.isnan(worst) else max(worst, share)
    return worst


def factor(needs: Sequence[float], estimates: Sequence[float]) -> float:
    """The typical factor between an estimate and the need: exp of the median absolute log error."""
    logs = np.log(np.maximum(needs, 1)) - np.log(np.maximum(estimates, 1))
    return float(np.exp(np.median(np.abs(logs))))


def mean_distance(scores: Iterable[Score]) -> tuple[float, float]:
    """The mean distance from the rate over sets, and its standard error by cluster."""
    found = list(scores)
    return mean(one.distance for one in found), _error_of_mean([one.error for one in found])


def mean_ratio(pairs: Iterable[tuple[Score, Score]]) -> tuple[float, float]:
    """The geometric mean over sets of one loss to another, and its standard error by cluster."""
    ratios, errors = zip(*(ours.against(other) for ours, other in pairs), strict=True)
    ratio = geometric_mean(ratios)
    of_logs = [error / one for one, error in zip(ratios, errors, strict=True)]
    return ratio, ratio * _error_of_mean(of_logs)


def _error_of_mean(errors: Sequence[float]) -> float:
    return math.hypot(*errors) / len(errors)


def mean(figures: Iterable[float]) -> float:
    """The mean."""
    return float(np.mean(list(figures)))


def geometric_mean(ratios: Iterable[float]) -> float:
    """The geometric mean."""
    return float(np.exp(np.mean(np.log(list(ratios)))))


# --- tables and goals -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and the bounds that it should keep."""

    name: str
    figure: float
    least: float
    most: float

    @property
    def is_met(self) -> bool:
        """Whether the figure is within its bounds."""
        return self.least <= self.figure <= self.most

    @property
    def word(self) -> str:
        """The verdict as a word."""
        return "met" if self.is_met else "MISSED"

    @property
    def bounds(self) -> str:
        """The bounds in words."""
        if math.isinf(self.least):
            return f"at most {self.most:g}"
        if math.isinf(self.most):
            return f"at least {self.least:g}"
        return f"{self.least:g} to {self.most:g}"


@dataclass(frozen=True, slots=True)
class Page:
    """Prints tables as aligned text or as markdown, and at the end what became of the goals."""

    is_markdown: bool
    goals: list[Goal] = field(default_factory=list)

    def table(self, title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print one table; all columns but the first are figures."""
        lines = [list(header), *map(list, rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        ends = ("| ", " | ", " |") if self.is_markdown else ("", "  ", "")
        print(f"\n{title}\n" if self.is_markdown else f"\n{title}")
        for number, cells in enumerate(lines):
            aligned = [
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ]
            print(f"{ends[0]}{ends[1].join(aligned)}{ends[2]}", flush=True)
            if number == 0 and self.is_markdown:
                print("|" + "|".join([" --- ", *[" ---: "] * (len(cells) - 1)]) + "|")

    def goal(self, name: str, figure: float, most: float, least: float = -math.inf) -> None:
        """Keep a figure and its goal for `verdict`."""
        self.goals.append(Goal(name, figure, least, most))

    def verdict(self) -> bool:
        """Print all goals; whether each is met."""
        rows = [[one.name, f"{one.figure:.2f}", one.bounds, one.word] for one in self.goals]
        if rows:
            self.table("Goals", ["figure", "measured", "goal", "verdict"], rows)
        return all(one.is_met for one in self.goals)


def percent(share: float) -> str:
    """A share in percent, to the tenth."""
    return "-" if math.isnan(share) else f"{100 * share:.1f}"


def number(figure: float) -> str:
    """A ratio with three figures or so."""
    if math.isnan(figure):
        return "-"
    return f"{figure:.2f}" if abs(figure) < 10 else f"{figure:,.0f}"
