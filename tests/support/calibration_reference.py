"""The budgets' method in plain Python, call by call: what the SQL is compared with."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass

Cell = tuple[object, ...]

LEVELS = (0, 1, 2, 3, 4)
STEP = 4
MINIMUM = 16
UNIDENTIFIED_FACTOR = 1.5
SPARSE_BELOW = 12


@dataclass(frozen=True, slots=True)
class Call:
    """One logical call: its cell, what it needed, and whether that is known or only a bound."""

    category: str | None
    complexity: str | None
    model: str | None
    input_bin: int | None
    tokens: int
    is_observed: bool

    def cell(self, level: int) -> Cell | None:
        """Its cell at a level, or None where the level's own column is not recorded."""
        columns: Cell = (self.category, self.complexity, self.model, self.input_bin)[:level]
        if level and (self.category is None or columns[-1] is None):
            return None
        return columns


@dataclass(frozen=True, slots=True)
class Quantile:
    """What the calls of one cell say for one rate."""

    n_observed: int
    has_enough: bool
    is_beyond: bool
    own: int
    blended: float


def quantile(calls: list[Call], rate: float) -> Quantile:
    """The Kaplan-Meier quantile of a cell at the conformal rank; calls must not be empty.

    `own` is read at the rank rounded up, `blended` lies between the whole ranks beside it.
    """
    observed = Counter(call.tokens for call in calls if call.is_observed)
    everyone = Counter(call.tokens for call in calls)
    n_observed = sum(observed.values())
    largest = max(everyone)
    if not n_observed:
        return Quantile(0, has_enough=False, is_beyond=True, own=0, blended=0.0)
    rank = round((n_observed + 1) * (1 - rate), 9)
    at_risk, survival = len(calls), 1.0
    curve = []
    for tokens in sorted(everyone):
        survival *= 1 - observed[tokens] / at_risk
        at_risk -= everyone[tokens]
        curve.append((tokens, survival))

    def reached_at(whole_rank: int) -> int | None:
        share = min(1.0, whole_rank / n_observed)
        return next((tokens for tokens, alive in curve if alive <= 1 - share + 1e-9), None)

    reached = reached_at(math.ceil(rank))
    below = reached_at(math.floor(rank)) if rank >= 1 else reached
    blended = largest * UNIDENTIFIED_FACTOR
    if reached is not None and below is not None:
        blended = reached * (below / reached) ** (math.ceil(rank) - rank)
    return Quantile(
        n_observed,
        has_enough=round((n_observed + 1) * rate, 9) >= 1,
        is_beyond=reached is None,
        own=largest if reached is None else reached,
        blended=blended,
    )


def rounded(tokens: float) -> int:
    """A budget rounded up to a multiple of the step."""
    return max(MINIMUM, math.ceil(round(tokens / STEP, 9)) * STEP)


def budgets(
    calls: list[Call], rates: list[float], floors: dict[tuple[str, str], int]
) -> dict[tuple[int, Cell, float], int | None]:
    """The blended budget of every cell and rate; None at cold start."""
    cells: dict[tuple[int, Cell], list[Call]] = defaultdict(list)
    for call in calls:
        for level in LEVELS:
            cell = call.cell(level)
            if cell is not None:
                cells[level, cell].append(call)
    found: dict[tuple[int, Cell, float], int | None] = {}
    for (level, cell), members in cells.items():
        least = 0
        for rate in sorted(rates, reverse=True):
            root = quantile(calls, rate)
            if not root.has_enough:
                found[level, cell, rate] = None
                continue
            log_budget = math.log(root.blended)
            for inner in range(1, level + 1):
                within = members[0].cell(inner)
                if within is None:
                    continue
                own = quantile(cells[inner, within], rate)
                if own.n_observed:
                    weight = own.n_observed / (own.n_observed + 1 / rate)
                    log_budget += weight * (math.log(own.blended) - log_budget)
            least = max(least, rounded(math.exp(log_budget)))
            found[level, cell, rate] = max(least, _floor(level, members[0], cells, floors))
    return found


def _floor(
    level: int,
    call: Call,
    cells: dict[tuple[int, Cell], list[Call]],
    floors: dict[tuple[str, str], int],
) -> int:
    if level == 0:
        return 0
    alike = call.cell(2) if level >= 2 else None
    members = cells[1, (call.category,)] if alike is None else cells[2, alike]
    if sum(member.is_observed for member in members) >= SPARSE_BELOW:
        return 0
    category, complexity = call.category or "", (call.complexity or "") if level >= 2 else ""
    for wanted in ((category, complexity), ("", complexity), ("", "")):
        if wanted in floors:
            return floors[wanted]
    raise AssertionError
