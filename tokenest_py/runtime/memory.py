"""What the running process has seen since its table was made: counters and look-ups, bounded.

For each value of the widest label and each model, how far its calls lie above the median (so far);
for each of them and a rate, what budgets are moved by so that the rate is kept (online rate). The
table's rows are where both begin, and the next build computes them again from telemetry. What all
calls share, such as a change of every prompt, moves a rate of all calls at once, which begins at 0.
A rate that no call was judged at is moved as the nearest one is: who needs more needs more at each.
"""

from __future__ import annotations

import math
import operator
import os
import threading
import weakref
from bisect import bisect_left
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from tokenest_py.runtime.budget import is_far_below
from tokenest_py.runtime.quantiles import BY_QUANTILE, MOST_TOKENS, median_cell
from tokenest_py.runtime.stop_reasons import spelled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from tokenest_py.runtime.budget import Budget
    from tokenest_py.runtime.table import Coefficients

    Key: TypeAlias = tuple[object, object]  # value of the widest label, model
    RunClasses: TypeAlias = tuple[tuple[str, int], ...]

_K = TypeVar("_K")
_V = TypeVar("_V")

MAX_KEYS = 2048  # labels and models, and rates
MAX_RUNS = 4096
RUN_BOUNDS = (-1.2, -0.7, -0.4, -0.15, 0.15, 0.4, 0.7, 1.2)
NO_CALL, MAX_TURN = 9, 12
NOTHING = (0.0, 0)
FIRST_STEPS = 21  # a step is 0.5 / sqrt(21 + calls judged), and online_step at last


class Memory:
    """What was seen; thread-safe, and whole in the child of a fork.

    Reads take no lock: every value is replaced as a whole.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        # Held where something is written. Its own thread may take it again: a collection of
        # garbage within can end a stream, whose outcome is then taken up.
        self.lock = threading.RLock()
        self.table = ""  # the coefficients_id that what was seen belongs to
        self._keys: OrderedDict[Key, tuple[float, float]] = OrderedDict()
        # what is beyond the table's, and the calls that judged it
        self._rates: OrderedDict[tuple[object, object, float], tuple[float, int]] = OrderedDict()
        self._of_all: dict[float, tuple[float, int]] = {}  # by rate
        self._near: dict[float, list[float]] = {}  # by rate: those that were judged, nearest first
        # by the hash of the run, and of the run and the label: calls and how far the last lay above
        self._runs: OrderedDict[int, tuple[int, float]] = OrderedDict()
        self._last: OrderedDict[int, float] = OrderedDict()
        self.observed = 0
        self.faults = 0  # outcomes that could not be taken up
        _ALL.add(self)

    def begin(self, table: Coefficients) -> None:
        """Forget what a newer table has learned; what runs have shown stays."""
        with self.lock:
            if table.coefficients_id != self.table:
                self._keys = OrderedDict()
                self._rates = OrderedDict()
                self._of_all = {}
                self._near = {}
                self.table = table.coefficients_id

    def run_classes(self, label: object, run_id: str) -> RunClasses:
        """The classes of what the earlier calls of a run were like, by feature; none without."""
        calls, ln_any = self._runs.get(hash(run_id), (0, None))
        if not calls:
            return ()
        ln_same = self._last.get(hash((run_id, label)))
        return ("same", run_bin(ln_same)), ("any", run_bin(ln_any)), ("turn", turn_bin(calls))

    def has_seen(self, label: object, model: object) -> bool:
        """Whether anything was seen of a label or of a model."""
        return (label, None) in self._keys or (None, model) in self._keys

    def so_far(self, key: Key) -> tuple[float, float] | None:
        """The effect of a key and its known calls; None where nothing was seen since the table."""
        return self._keys.get(key)

    @property
    def has_many_rates(self) -> bool:
        """Whether calls were judged at more than one rate: their moves may be in any order."""
        return len(self._of_all) > 1

    def online(self, table: Coefficients, label: object, model: object, rate: float) -> float:
        """What moves the logarithm of a budget: of all calls, and of its label or of its model.

        The model's own counts once enough calls judge it.
        """
        near = self._judged_near(rate)
        of_all = self._of_all.get(near[0], NOTHING)[0] if near else 0.0
        if model is not None:
            moved, n = self._moved(table, label, model, rate, near)
            if n >= table.constants.get("online_calls", math.inf):
                return of_all + moved
        return of_all + self._moved(table, label, None, rate, near)[0]

    def observe(
        self,
        table: Coefficients,
        budget: Budget,
        output_tokens: int,
        stop_reason: str | None,
        run_id: str | None,
    ) -> None:
        """Take up the outcome of one call; nothing where the table says nothing of such calls."""
        output_tokens = min(operator.index(output_tokens), MOST_TOKENS)
        if "online_step" not in table.constants or not budget.cell or output_tokens < 1:
            return
        said = spelled(stop_reason or "")
        stop_class = table.stop_classes.get(said, "unknown" if said else "complete")
        is_cut = stop_class == "truncated" or output_tokens >= budget.max_tokens
        if stop_class in ("context_window", "filtered") or (stop_class == "unknown" and not is_cut):
            return
        if is_cut and is_far_below(table, output_tokens, budget.max_tokens):
            return
        level = table.model_level
        label = budget.cell[0]
        model = budget.cell[level] if len(budget.cell) > level else None
        if table.coefficients_id != self.table:
            self.begin(table)
        with self.lock:
            self.observed += 1
            self._know(table, budget, label, model, output_tokens)
            if run_id is not None:
                self._follow(table, budget, label, run_id, output_tokens)
            if (
                budget.source in BY_QUANTILE
                and budget.coefficients_id == self.table
                and not budget.is_retry
                and not budget.clamped_by
                and budget.quantile_rate is not None
            ):
                self._judge(table, label, model, budget.quantile_rate, int(is_cut))

    def forget_lock(self) -> None:
        """Begin with a new lock: the old one may be held by a thread that a fork left behind."""
        self.lock = threading.RLock()

    def _moved(
        self, table: Coefficients, label: object, model: object, rate: float, near: list[float]
    ) -> tuple[float, int]:
        """What a rate of a label or a model is moved by, and how many calls judged it.

        The rates that calls were judged at are `near`, the nearest first.
        """
        begun = NOTHING
        if table.online_rates:
            begun = table.online_rates.get((label, model, rate), NOTHING)
        for judged in near:
            found = self._rates.get((label, model, judged))
            if found is not None:
                return begun[0] + found[0], found[1]
        return begun

    def _judged_near(self, rate: float) -> list[float]:
        """The rates that calls were judged at, the nearest first."""
        known = self._near  # begun anew with each rate that is judged, after that rate is in place
        near = known.get(rate)
        if near is None:
            near = sorted(self._of_all, key=lambda other: (max(other / rate, rate / other), other))
            known[rate] = near
        return near

    def _judge(
        self, table: Coefficients, label: object, model: object, rate: float, cut: int
    ) -> None:
        """One step of all calls, of the label and of the model."""
        constants = table.constants
        near = self._judged_near(rate)
        of_all = _stepped(constants, self._of_all[near[0]] if near else NOTHING, rate, cut)
        for of_model in dict.fromkeys((None, model)):
            begun = table.online_rates.get((label, of_model, rate), NOTHING)[0]
            before = self._moved(table, label, of_model, rate, near)
            moved, n = _stepped(constants, before, rate, cut)
            _keep(self._rates, (label, of_model, rate), (moved - begun, n))
        self._of_all = {**self._of_all, rate: of_all}
        if rate not in near:
            self._near = {}

    def _know(
        self, table: Coefficients, budget: Budget, label: object, model: object, tokens: int
    ) -> None:
        """Add one call to what is known of its model, and what that leaves to its label."""
        if table.ln_median is None:
            return
        median = median_cell(table, budget.cell, table.model_level)
        if median is None:
            return
        ln_needed = math.log(tokens)
        of_model = 0.0
        if model is not None:
            of_model = self._learn(table, (None, model), ln_needed - math.log(median[0]))
        if label is not None:
            self._learn(table, (label, None), ln_needed - table.ln_median - of_model)

    def _follow(
        self, table: Coefficients, budget: Budget, label: object, run_id: str, tokens: int
    ) -> None:
        """Remember the newest call of a run; a retry is the same call."""
        median = median_cell(table, budget.cell, table.model_level)
        if median is None:
            return
        ln_above = math.log(tokens) - math.log(median[0])
        run = hash(run_id)
        calls = self._runs.get(run, (0, 0.0))[0]
        _keep(self._runs, run, (calls + (not budget.is_retry), ln_above), MAX_RUNS)
        _keep(self._last, hash((run_id, label)), ln_above, MAX_RUNS)

    def _learn(self, table: Coefficients, key: Key, value: float) -> float:
        """Add a value to the effect of a key; return the effect before it."""
        shrinkage = table.constants["so_far_shrinkage"]
        effect, known = self._keys.get(key) or table.so_far.get(key, (0.0, 0))
        kept = 2.0 ** (-1 / table.constants["so_far_half_life"])
        total = effect * (known + shrinkage) * kept + value
        now = known * kept + 1
        _keep(self._keys, key, (total / (now + shrinkage), now))
        return effect


def _stepped(
    constants: Mapping[str, float], before: tuple[float, int], rate: float, cut: int
) -> tuple[float, int]:
    """One step of an online rate: up after a truncation, down by the rate after none."""
    moved, n = before
    least, most = constants["online_step"], constants["online_most"]
    step = max(least, 0.5 * (FIRST_STEPS + n) ** -0.5) if least else 0.0
    return max(-most, min(most, moved + step * (cut - rate))), n + 1


def run_bin(ln_above: float | None) -> int:
    """The class of how far a demand lay above its median; 9 without one."""
    return NO_CALL if ln_above is None else bisect_left(RUN_BOUNDS, ln_above)


def turn_bin(calls: int) -> int:
    """The class of how many calls of the run came before: two to each doubling."""
    return min(MAX_TURN, math.floor(2 * math.log2(1 + calls)))


def _keep(kept: OrderedDict[_K, _V], key: _K, value: _V, most: int = MAX_KEYS) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)


_ALL: weakref.WeakSet[Memory] = weakref.WeakSet()


def _after_fork() -> None:
    for memory in list(_ALL):
        memory.forget_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
