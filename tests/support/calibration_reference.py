"""The budgets' method in plain Python, call by call: what the SQL is compared with."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

Cell = tuple[object, ...]

LEVELS = (0, 1, 2, 3, 4, 5)
LABEL_LEVEL = 2
STEP = 4
MINIMUM = 16
TAIL_INDEX = 0.3
HALF_LIFE = 200
SHRINKAGE = 3
BOUNDS = (1, 3, 6, 12, 25, 60)


@dataclass(frozen=True, slots=True)
class Call:
    """One logical call: its cell, what it needed, and whether that is known or only a bound."""

    category: str | None
    complexity: str | None
    estimate_bin: str | None
    model: str | None
    input_bin: int | None
    tokens: float
    is_observed: bool

    def cell(self, level: int) -> Cell | None:
        """Its cell at a level, or None where the level's own column is not recorded."""
        columns: Cell = (
            self.category, self.complexity, self.estimate_bin, self.model, self.input_bin,
        )[:level]  # fmt: skip
        if level and columns[-1] is None:
            return None
        return columns


@dataclass(frozen=True, slots=True)
class Quantile:
    """What the calls of one cell say for one rate."""

    n_observed: int
    has_enough: bool
    is_beyond: bool
    own: float
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

    def reached_at(whole_rank: int) -> float | None:
        share = min(1.0, whole_rank / n_observed)
        return next((tokens for tokens, alive in curve if alive <= 1 - share + 1e-9), None)

    reached = reached_at(math.ceil(rank))
    below = reached_at(math.floor(rank)) if rank >= 1 else reached
    has_enough = round((n_observed + 1) * rate, 9) >= 1
    if has_enough and reached is not None and below is not None:
        blended = reached * (below / reached) ** (math.ceil(rank) - rank)
    else:
        share_beyond = (n_observed * survival + 1) / (n_observed + 1)
        blended = largest * max(share_beyond / rate, 1) ** TAIL_INDEX
    return Quantile(
        n_observed,
        has_enough=has_enough,
        is_beyond=reached is None,
        own=largest if reached is None else reached,
        blended=blended,
    )


def rounded(tokens: float) -> int:
    """A budget rounded up to a multiple of the step."""
    return max(MINIMUM, math.ceil(round(tokens / STEP, 9)) * STEP)


class Effects:
    """What the calls of each key have shown so far, in the order in which they are added."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._values: dict[str, list[float]] = defaultdict(list)

    def of(self, key: str | None) -> tuple[float, float]:
        """The effect of a key and how many of its calls are known, newer ones counting more."""
        values = self._values[key] if key is not None else []
        weights = [2 ** (-age / HALF_LIFE) for age in range(len(values))]
        total = sum(weight * value for weight, value in zip(weights, values[::-1], strict=True))
        return total / (sum(weights) + SHRINKAGE), sum(weights)

    def add(self, key: str | None, value: float) -> None:
        """One more call."""
        if key is not None:
            self._values[key].append(value)


def known_bin(known: float) -> int:
    """The class of how many calls are known."""
    return sum(known >= bound - 0.5 for bound in BOUNDS)


def less_known(its: int | None, bin_: int | None) -> bool:
    """A call of which less was known; any call where nobody asks for a class."""
    return bin_ is None or (its is not None and its < bin_)


def of_class(its: int | None, bin_: int | None) -> bool:
    """A call of the class itself."""
    return bin_ is not None and its == bin_


# Whether within the label, and among which calls, from wide to narrow.
STEPS: list[tuple[bool, Callable[[int | None, int | None], bool]]] = [
    (False, lambda *_: True), (False, less_known), (False, of_class),
    (True, less_known), (True, of_class),
]  # fmt: skip


class SoFar:
    """What new models and labels needed, from calls in the order of time."""

    def __init__(self, calls: list[Call], cells: Cells, rates: list[float]) -> None:
        """Replay the calls."""
        self.cells = cells
        self.rates = rates
        self._quantiles: dict[tuple[str, str | None, int | None, float], float] = {}
        self.models, self.labels = Effects(), Effects()
        sizes = self._size_effects(calls)
        self.residuals: list[tuple[str, str | None, int | None, float, bool]] = []
        for call in calls:
            level, cell = self._effect_cell(call)
            above = math.log(call.tokens / cells.median(level, cell))
            above -= sizes.get((level, cell, call.estimate_bin), 0)
            above_all = math.log(call.tokens / cells.median(0, ()))
            of_model, n_model = self.models.of(call.model)
            of_label, n_label = self.labels.of(call.category)
            left = above_all - of_model - of_label
            bin_ = None if call.category is None else known_bin(n_label)
            self.residuals.append(("label", None, bin_, math.exp(left), call.is_observed))
            if call.model is not None:
                factor = math.exp(above - of_model)
                bin_ = known_bin(n_model)
                self.residuals.append(("model", call.category, bin_, factor, call.is_observed))
            self.models.add(call.model, above)
            self.labels.add(call.category, above_all - of_model)

    def _effect_cell(self, call: Call) -> tuple[int, Cell]:
        """The narrowest cell of category and complexity."""
        for level in range(LABEL_LEVEL, 0, -1):
            cell = call.cell(level)
            if cell is not None:
                return level, cell
        return 0, ()

    def _size_effects(self, calls: list[Call]) -> dict[tuple[int, Cell, str | None], float]:
        """How far calls of an estimate's size lie above all of their cell, by their number."""
        needed: dict[tuple[int, Cell], dict[str, list[float]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for call in calls:
            if call.estimate_bin is not None:
                needed[self._effect_cell(call)][call.estimate_bin].append(math.log(call.tokens))
        return {
            (*cell, size): len(of_size)
            / (len(of_size) + 2)
            * (fmean(of_size) - fmean(value for each in sizes.values() for value in each))
            for cell, sizes in needed.items()
            for size, of_size in sizes.items()
        }

    def median(self, call: Call) -> float:
        """The median of the narrowest cell of a call without a model."""
        for level in (LABEL_LEVEL + 1, LABEL_LEVEL, 1):
            cell = call.cell(level)
            if cell is not None and (level, cell) in self.cells.members:
                return self.cells.median(level, cell)
        return self.cells.median(0, ())

    def quantile(self, subject: str, label: str | None, bin_: int | None, rate: float) -> float:
        """Logarithm of what the next call needs above what is known; less for no stricter rate."""
        looser = [other for other in self.rates if other >= rate]
        return max(self._quantile(subject, label, bin_, other) for other in looser)

    def _quantile(self, subject: str, label: str | None, bin_: int | None, rate: float) -> float:
        key = subject, label, bin_, rate
        if key not in self._quantiles:
            self._quantiles[key] = self._blended(*key)
        return self._quantiles[key]

    def _blended(self, subject: str, label: str | None, bin_: int | None, rate: float) -> float:
        ln_factor = math.nan
        for by_label, among in STEPS:
            if by_label and (label is None or subject == "label"):
                continue
            group = [
                Call(None, None, None, None, None, factor, is_observed)
                for of, its_label, its_bin, factor, is_observed in self.residuals
                if of == subject and (not by_label or its_label == label) and among(its_bin, bin_)
            ]
            own = quantile(group, rate) if group else None
            if own is not None and own.n_observed:
                weight = own.n_observed / (own.n_observed + 1 / rate)
                step = math.log(own.blended)
                ln_factor = (
                    step if math.isnan(ln_factor) else ln_factor + weight * (step - ln_factor)
                )
        return ln_factor

    def expected(self, call: Call, share: float, rate: float) -> float:
        """Logarithm of the budget of a call as a new one; `share` is what its labels say."""
        of_model, n_model = self.models.of(call.model)
        of_label, n_label = self.labels.of(call.category)
        bin_ = None if call.category is None else known_bin(n_label)
        ln_tokens = math.log(self.cells.median(0, ())) + of_model + of_label
        ln_tokens += self.quantile("label", None, bin_, rate)
        if call.model is None or not share:
            return ln_tokens
        ln_model = math.log(self.median(call)) + of_model
        ln_model += self.quantile("model", call.category, known_bin(n_model), rate)
        return ln_tokens + share * (ln_model - ln_tokens)


class Cells:
    """The calls of every cell of every level."""

    def __init__(self, calls: list[Call]) -> None:
        """Sort the calls into cells."""
        self.members: dict[tuple[int, Cell], list[Call]] = defaultdict(list)
        for call in calls:
            for level in LEVELS:
                cell = call.cell(level)
                if cell is not None:
                    self.members[level, cell].append(call)
        self._medians: dict[tuple[int, Cell], float] = {}

    def median(self, level: int, cell: Cell) -> float:
        """The median of a cell, blended from all calls down."""
        if (level, cell) not in self._medians:
            ln_median = math.log(quantile(self.members[0, ()], 0.5).blended)
            call = self.members[level, cell][0]
            for inner in range(1, level + 1):
                within = call.cell(inner)
                if within is not None:
                    own = quantile(self.members[inner, within], 0.5)
                    if own.n_observed:
                        weight = own.n_observed / (own.n_observed + 2)
                        ln_median += weight * (math.log(own.blended) - ln_median)
            self._medians[level, cell] = math.exp(ln_median)
        return self._medians[level, cell]

    def own_share(self, call: Call, rate: float, levels: range) -> float:
        """How much of a budget the call's own cells at these levels say."""
        rest = 1.0
        for level in levels:
            within = call.cell(level)
            if within is not None and (level, within) in self.members:
                n = sum(member.is_observed for member in self.members[level, within])
                rest *= 1 - n / (n + 1 / rate)
        return 1 - rest


def budgets(calls: list[Call], rates: list[float]) -> dict[tuple[int, Cell, float], int | None]:
    """The budget of every cell and rate, of calls in the order of time; None at cold start."""
    cells = Cells(calls)
    so_far = SoFar(calls, cells, rates)
    found: dict[tuple[int, Cell, float], int | None] = {}
    for (level, cell), members in cells.members.items():
        least = 0
        for rate in sorted(rates, reverse=True):
            if not quantile(calls, rate).has_enough:
                found[level, cell, rate] = None
                continue
            log_budget = _stepped(level, members[0], cells, so_far, rate)
            least = max(least, rounded(math.exp(log_budget)))
            found[level, cell, rate] = least
    return found


def _parent(call: Call) -> Cell:
    """The narrowest cell of a call without the size of its input."""
    return next(found for level in (4, 3, 2, 1, 0) if (found := call.cell(level)) is not None)


def _stepped(level: int, member: Call, cells: Cells, so_far: SoFar, rate: float) -> float:
    """A size of few calls begins with the next one towards that of most calls, as sizes tell."""
    plain = _log_budget(level, member, cells, so_far, rate)
    if level < LEVELS[-1]:
        return plain
    sizes = {
        calls[0].input_bin or 0: calls
        for (of_level, _), calls in cells.members.items()
        if of_level == level and _parent(calls[0]) == _parent(member)
    }
    own = {size: quantile(calls, rate) for size, calls in sizes.items()}
    middle = min(sizes, key=lambda size: (-own[size].n_observed, size))
    size = member.input_bin or 0
    if size == middle:
        return plain
    log_budget = _log_budget(level, sizes[middle][0], cells, so_far, rate)
    way = [other for other in sizes if (other - middle) * (size - other) >= 0 and other != middle]
    for other in sorted(way, key=lambda other: abs(other - middle)):
        if n := own[other].n_observed:
            log_budget += n / (n + 1 / rate) * (math.log(own[other].blended) - log_budget)
    points = [
        (size, math.log(of.blended), of.n_observed) for size, of in own.items() if of.n_observed
    ]
    return plain + _trend_share(points) * (log_budget - plain)


def _trend_share(points: list[tuple[int, float, int]]) -> float:
    """1 - 4/t^2 of the slope through points of a size, a logarithm and a weight; 0 without."""
    if len(points) <= 2:
        return 0.0
    x, y, n = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    x, y = x - np.average(x, weights=n), y - np.average(y, weights=n)
    of_sizes, of_both, of_needs = (n * x * x).sum(), (n * x * y).sum(), (n * y * y).sum()
    if min(of_sizes, of_needs) <= 1e-9:
        return 0.0
    r_2 = of_both**2 / (of_sizes * of_needs)
    t_2 = r_2 * (len(points) - 2) / (1 - r_2) if r_2 < 1 else math.inf
    return float(max(1 - 4 / t_2, 0)) if t_2 else 0.0


def _log_budget(level: int, member: Call, cells: Cells, so_far: SoFar, rate: float) -> float:
    """From what is expected of something new, each level moves it towards its own quantile."""
    if not level:
        return math.log(quantile(cells.members[0, ()], rate).blended)
    call = member
    if level <= LABEL_LEVEL + 1:
        call = replace(call, model=None)
    if level <= LABEL_LEVEL:
        call = replace(call, estimate_bin=None)
    if level < LABEL_LEVEL:
        call = replace(call, complexity=None)
    log_budget = so_far.expected(call, cells.own_share(call, rate, range(1, LABEL_LEVEL + 1)), rate)
    for inner in range(1 if call.model is None else LABEL_LEVEL + 1, level + 1):
        within = member.cell(inner)
        if within is None:
            continue
        own = quantile(cells.members[inner, within], rate)
        if own.n_observed:
            weight = own.n_observed / (own.n_observed + 1 / rate)
            log_budget += weight * (math.log(own.blended) - log_budget)
    return log_budget
