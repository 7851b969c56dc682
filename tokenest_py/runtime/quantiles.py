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
    from tokenest_py.runtime.memory import Memory
    from tokenest_py.runtime.table import Coefficients
    from tokenest_py.runtime.table.table import Cell

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


def answer(table: Coefficients, cell: Cell, asked: float, memory: Memory | None) -> Answer | None:
    """The quantile for a cell at the largest rate not above the one asked for, else the smallest.

    None where the table knows none.
    """
    if memory is not None and memory.table != table.coefficients_id:
        memory = None  # nothing was seen yet since this table came
    cells = table.cells
    for end in range(len(cell), -1, -1):
        rates = cells.get(cell[:end])
        if rates:
            break
    else:
        return None
    found = rates[0]
    for candidate in rates:
        if candidate[0] <= asked:
            found = candidate
    rate, tokens, n, identified, share = found
    identified = identified and rate <= asked
    level = table.model_level
    model = cell[level] if len(cell) > level else None
    ln_moved = ln_tabled = _online(table, cell, model, rate)
    if memory is not None:
        ln_moved = memory.online(table, cell[0] if cell else None, model, rate)
    ln_seen = ln_moved - ln_tabled
    is_new_model = end <= level and model is not None and table.has_models
    if is_new_model or (end == 0 and cell and cell[0] is not None):
        expected = _expected(table, memory, cell, end, rate, share)
        if expected is not None:
            ln_tokens, n, known = expected
            if memory is not None:
                before = _expected(table, None, cell, end, rate, share)
                ln_seen += ln_tokens - before[0] if before else 0.0
            tokens = _whole(ln_tokens + ln_moved)
            return Answer(SO_FAR, rate, tokens, n, known and rate <= asked, math.exp(ln_seen))
    if memory is not None and end and share < 1 and memory.has_seen(cell[0], model):
        ln_seen += (1 - share) * _moved(table, memory, cell, end, rate)
    if ln_seen or ln_tabled:
        tokens = _whole(math.log(tokens) + ln_tabled + ln_seen)
    source = CELL if end == len(cell) else PARENT
    return Answer(source, rate, tokens, n, identified, math.exp(ln_seen) if ln_seen else 1.0)


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


def known_bin(n: float) -> int:
    """The class of how many calls of a key are known."""
    return bisect_right(KNOWN_BOUNDS, n)


def median_cell(table: Coefficients, cell: Cell, end: int) -> tuple[float, int] | None:
    """The median of the narrowest cell, of at most `end` levels, that has one."""
    medians = table.medians
    for stop in range(min(end, len(cell)), -1, -1):
        found = medians.get(cell[:stop])
        if found is not None:
            return found
    return None


def _expected(
    table: Coefficients,
    memory: Memory | None,
    cell: Cell,
    end: int,
    rate: float,
    share: float,
) -> tuple[float, int, bool] | None:
    """Logarithm of tokens, n and identified, for a cell that the table does not know.

    `end` is how much of the cell the table knows of its labels, `share` how much they say.
    """
    level = table.model_level
    label = cell[0]
    model = cell[level] if len(cell) > level else None
    quantiles = table.so_far_quantiles
    of_label, n_label = (0.0, None) if label is None else _so_far(table, memory, label, None)
    of_model, n_model = (0.0, None) if model is None else _so_far(table, memory, None, model)
    class_ = None if n_label is None else known_bin(n_label)
    found = quantiles.get(("label", None, class_, rate))
    if found is None or table.ln_median is None:
        return None
    ln_tokens = table.ln_median + of_model + of_label + found[0]
    if end and n_model is not None:
        class_ = known_bin(n_model)
        of_cell = quantiles.get(("model", label, class_, rate))
        of_cell = of_cell or quantiles.get(("model", None, class_, rate))
        median = median_cell(table, cell, min(end, level))
        if of_cell is not None and median is not None:
            ln_model = math.log(median[0]) + of_model + of_cell[0]
            ln_tokens += share * (ln_model - ln_tokens)
            found = of_cell
    return ln_tokens, found[1], found[2]


def _moved(table: Coefficients, memory: Memory, cell: Cell, end: int, rate: float) -> float:
    """How far what was seen since moves what a known cell began with, in logarithms."""
    level = table.model_level
    if end <= level:
        before = _so_far(table, None, cell[0], None)[0]
        return _so_far(table, memory, cell[0], None)[0] - before
    labels = cell[:level]
    for stop in range(len(labels), -1, -1):
        for known in table.cells.get(labels[:stop], ()):
            if known[0] == rate:
                now = _expected(table, memory, cell, stop, rate, known[4])
                before = _expected(table, None, cell, stop, rate, known[4])
                return now[0] - before[0] if now and before else 0.0
    return 0.0


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


def _online(table: Coefficients, cell: Cell, model: object, rate: float) -> float:
    """What the table itself moves the logarithm of a budget by."""
    rates = table.online_rates
    if not rates:
        return 0.0
    label = cell[0] if cell else None
    found = rates.get((label, model, rate)) if model is not None else None
    found = found or rates.get((label, None, rate))
    return found[0] if found else 0.0


def _whole(ln_tokens: float) -> int:
    return min(MOST_TOKENS, math.ceil(math.exp(min(ln_tokens, 20.0)) - 1e-9))
