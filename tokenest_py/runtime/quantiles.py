"""What the table, and what was seen since, say of the tokens that a call needs at a rate.

A cell that the table knows has a budget of its own. What is new, a model or a value of the widest
label, gets what new ones needed so far:

    ln tokens = ln median + effect of the model so far + effect of the label so far
                + quantile of what was left, by how many calls of it are known

docs/method.md says where these come from.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from tokenest_py.runtime.memory import Memory
    from tokenest_py.runtime.table import Coefficients
    from tokenest_py.runtime.table.table import Cell

    # of the model, and of the label: how far above the median, and the class of calls known
    Effects: TypeAlias = tuple[float, int, float, int]

CELL = "quantile cell"
PARENT = "parent"
SO_FAR = "so far"
BY_QUANTILE = frozenset({CELL, PARENT, SO_FAR})

KNOWN_BOUNDS = (0.5, 2.5, 5.5, 11.5, 24.5, 59.5)  # classes 0, 1-2, 3-5, 6-11, 12-24, 25-59, 60+
MOST_TOKENS = 100_000_000


class Answer(NamedTuple):
    """What a quantile says.

    Attributes:
        source: CELL (the very cell asked for), PARENT (a wider one) or SO_FAR.
        rate: The rate that the quantile is for.
        tokens: What calls need at most, but for that rate of them.
        n: Calls that it rests on.
        identified: Whether the data show it.
        seen: The part that comes from what was seen since the table was made, as a factor.
    """

    source: str
    rate: float
    tokens: int
    n: int
    identified: bool
    seen: float = 1.0


class Quantile:
    """Everything that a table says of one cell at one rate; what was seen moves it.

    A budget is never below that of a looser rate: what moves them may have been seen at one alone.

    Attributes:
        answer: What the table alone answers.
        label: The value of the widest label, or None.
        model: The model, or None.
        looser: The quantile of the same cell at the next larger rate, or None.
        ln_answer: The logarithm of the tokens that the table alone answers, before they are whole.
    """

    __slots__ = ("_base", "_by_label", "_by_model", "_label_part", "_ln_new", "_ln_own",
                 "_ln_tabled", "_new_share", "_rate", "answer", "label", "ln_answer", "looser",
                 "model")  # fmt: skip
    answer: Answer
    looser: Quantile | None

    def __init__(self, table: Coefficients, cell: Cell, end: int, asked: float) -> None:
        """Look up what the table knows of the first `end` levels of a cell."""
        level = table.model_level
        rates = table.cells[cell[:end]]
        rate, tokens, n, identified, share = _of_rate(rates, asked)
        looser = [found[0] for found in rates if found[0] > rate]
        self.looser = Quantile(table, cell, end, looser[0]) if looser else None
        self.label = cell[0] if cell else None
        self.model = cell[level] if len(cell) > level else None
        self._begin_as_new(table, cell, end, rate)
        self._ln_tabled = self._online(table, rate)
        source = CELL if end == len(cell) else PARENT
        is_new_model = end <= level and self.model is not None and table.has_models
        is_new = is_new_model or (end == 0 and self.label is not None)
        self._rate, self._new_share = rate, 1 - share if self._by_label else 0.0
        ln_tokens = math.log(tokens)
        if self._by_label:
            self._ln_new, n_new, is_identified = self._as_new(self._effects(table, None))
            if is_new:
                source, self._new_share = SO_FAR, 1.0
                ln_tokens, n, identified = self._ln_new, n_new, is_identified
        self._ln_own = self.ln_answer = ln_tokens + self._ln_tabled
        if is_new or self._ln_tabled:
            tokens = _whole(self.ln_answer)
        if self.looser is not None and self.looser.answer.tokens > tokens:
            tokens, self.ln_answer = self.looser.answer.tokens, self.looser.ln_answer
        self.answer = Answer(source, rate, tokens, n, identified and rate <= asked)

    def moved(self, table: Coefficients, memory: Memory, run_id: str | None) -> Answer:
        """The answer with what was seen since, of its like and of its run."""
        effects = of_run = None
        if self._by_label and memory.has_seen(self.label, self.model):
            effects = self._effects(table, memory)
        if run_id is not None and table.run_factors:
            of_run = table.run_moves(self.label, memory.run_classes(self.label, run_id))
        ln_online = self.online_since(table, memory)
        ln_tokens = self.ln_moved(ln_online, effects, of_run)
        looser, is_by_rate = self.looser, memory.has_many_rates or table.moves_differ
        while looser is not None:
            if is_by_rate:
                ln_online = looser.online_since(table, memory)
            ln_looser = looser.ln_moved(ln_online, effects, of_run)
            if ln_looser > ln_tokens:
                ln_tokens = ln_looser
            looser = looser.looser
        if ln_tokens == self.ln_answer:
            return self.answer
        source, rate, _, n, identified, _ = self.answer
        seen = math.exp(ln_tokens - self.ln_answer)
        return Answer(source, rate, _whole(ln_tokens), n, identified, seen)

    def online_since(self, table: Coefficients, memory: Memory) -> float:
        """What the online rate moves the logarithm of the budget by, beyond the table's."""
        return memory.online(table, self.label, self.model, self._rate) - self._ln_tabled

    def ln_moved(
        self, ln_online: float, effects: Effects | None, of_run: Mapping[float, float] | None
    ) -> float:
        """The logarithm of the tokens at this rate alone, with what was seen since."""
        ln_tokens = self._ln_own + ln_online
        if effects is not None and self._new_share:
            ln_tokens += self._new_share * (self._as_new(effects)[0] - self._ln_new)
        if of_run:
            ln_tokens += of_run.get(self._rate, 0.0)
        return ln_tokens

    def _begin_as_new(self, table: Coefficients, cell: Cell, end: int, rate: float) -> None:
        """What a budget of the cell begins with, all but what is known of its label and model."""
        quantiles, level = table.so_far_quantiles, table.model_level
        classes = (None,) if self.label is None else range(len(KNOWN_BOUNDS) + 1)
        of_label = [quantiles.get(("label", None, class_, rate)) for class_ in classes]
        self._by_label = [found for found in of_label if found]
        self._by_model: list[tuple[float, int, bool]] = []
        self._label_part = 1.0
        if table.ln_median is None or len(self._by_label) < len(of_label):
            self._by_label = []
            return
        self._base = table.ln_median
        # the labels that the table knows say how much of it is that of a new model
        stop = min(end, table.label_level)
        while stop and cell[:stop] not in table.cells:
            stop -= 1
        found = median_cell(table, cell, min(len(cell), level))
        if self.model is None or not stop or found is None:
            return
        for class_ in range(len(KNOWN_BOUNDS) + 1):
            of_model = quantiles.get(("model", self.label, class_, rate))
            of_model = of_model or quantiles.get(("model", None, class_, rate))
            if of_model is None:
                self._by_model = []
                return
            self._by_model.append(of_model)
        share = _of_rate(table.cells[cell[:stop]], rate)[4]
        self._label_part = 1 - share
        self._base += share * (math.log(found[0]) - self._base)

    def _effects(self, table: Coefficients, memory: Memory | None) -> Effects:
        """What is known so far of its model and of its label; nothing of what it does not have."""
        of_model = of_label = n_model = n_label = 0.0
        if self.model is not None:
            of_model, n_model = _so_far(table, memory, None, self.model)
        if self.label is not None:
            of_label, n_label = _so_far(table, memory, self.label, None)
        of_calls = bisect_right(KNOWN_BOUNDS, n_model), bisect_right(KNOWN_BOUNDS, n_label)
        return of_model, of_calls[0], of_label, of_calls[1]

    def _as_new(self, effects: Effects) -> tuple[float, int, bool]:
        """Logarithm of tokens, n and identified, as for something new."""
        of_model, model_class, of_label, label_class = effects
        part = self._label_part
        found = self._by_label[0 if self.label is None else label_class]
        ln_tokens = self._base + of_model + part * (of_label + found[0])
        if self._by_model:
            found = self._by_model[model_class]
            ln_tokens += (1 - part) * found[0]
        return ln_tokens, found[1], found[2]

    def _online(self, table: Coefficients, rate: float) -> float:
        """What the table itself moves the logarithm of a budget by."""
        rates = table.online_rates
        found = rates.get((self.label, self.model, rate)) if self.model is not None else None
        found = found or rates.get((self.label, None, rate))
        return found[0] if found else 0.0


def find(table: Coefficients, cell: Cell, asked: float) -> Quantile | None:
    """The quantile for a cell at the largest rate not above the one asked for, else the smallest.

    None where the table knows none.
    """
    for end in range(len(cell), -1, -1):
        if table.cells.get(cell[:end]):
            return Quantile(table, cell, end, asked)
    return None


def _of_rate(
    rates: list[tuple[float, int, int, bool, float]], asked: float
) -> tuple[float, int, int, bool, float]:
    found = rates[0]
    for candidate in rates:
        if candidate[0] <= asked:
            found = candidate
    return found


class Median(NamedTuple):
    """The median demand of a cell and the range of its calls, in tokens."""

    low: int
    tokens: int
    high: int
    confidence: float


def median(table: Coefficients, cell: Cell, memory: Memory | None) -> Median | None:
    """What half of such calls need, from the narrowest cell that has been seen; None without.

    A model or a label that the cell does not have is as far above it as its calls so far are.
    Confidence is n / (n + 2), less where calls are far apart.
    """
    medians = table.medians
    for end in range(len(cell), -1, -1):
        found = medians.get(cell[:end])
        if found is not None:
            break
    else:
        return None
    if memory is not None and memory.table != table.coefficients_id:
        memory = None
    tokens, n = found
    level = table.model_level
    effect = 0.0
    if end <= level < len(cell):
        effect += _so_far(table, memory, None, cell[level])[0]
    if end == 0 and cell and cell[0] is not None:
        effect += _so_far(table, memory, cell[0], None)[0]
    factor = math.exp(effect)
    low = min(table.median_lows.get(cell[:end], found)[0], tokens)
    high = max(table.median_highs.get(cell[:end], found)[0], tokens)
    confidence = n / (n + 2) / (1 + math.log(high / low) / 4)
    return Median(
        math.floor(low * factor),
        max(1, round(tokens * factor)),
        math.ceil(high * factor),
        confidence if end == len(cell) else confidence / 2,
    )


def median_cell(table: Coefficients, cell: Cell, end: int) -> tuple[float, int] | None:
    """The median of the narrowest cell, of at most `end` levels, that has one."""
    medians = table.medians
    for stop in range(min(end, len(cell)), -1, -1):
        found = medians.get(cell[:stop])
        if found is not None:
            return found
    return None


def _so_far(
    table: Coefficients, memory: Memory | None, label: object, model: object
) -> tuple[float, float]:
    """The effect of a label or of a model, and how many of its calls are known."""
    key = label, model
    if memory is not None:
        found = memory.so_far(key)
        if found is not None:
            return found
    return table.so_far.get(key, (0.0, 0))


def _whole(ln_tokens: float) -> int:
    return min(MOST_TOKENS, math.ceil(math.exp(min(ln_tokens, 20.0)) - 1e-9))
