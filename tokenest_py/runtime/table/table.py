"""One checked table of coefficients, indexed as the estimator and the budgets look things up."""

from __future__ import annotations

import contextlib
import math
import os
from itertools import pairwise
from typing import TYPE_CHECKING

from tokenest_py.errors import CoefficientsError
from tokenest_py.runtime.labels import ESTIMATE_BIN
from tokenest_py.runtime.table.file import EXPORT_AGAIN, decode, read
from tokenest_py.runtime.table.kinds import CONSTANTS, KINDS
from tokenest_py.runtime.text import vocabulary_key

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from typing import Any

    from tokenest_py.runtime.memory import RunClasses
    from tokenest_py.runtime.quantiles import Quantile

    Row = dict[str, Any]
    Cell = tuple[object, ...]  # values of the levels, up to the last one that is given

MAX_MOVES = 512  # of runs, that a table keeps
PACKAGED = f"{__file__.rpartition(os.sep)[0]}/defaults/coefficients.ndjson"


class Coefficients:
    """A table. An absent key column is the empty text in a key; in the key of a cell it is None.

    Weights, overheads, floors, limits and quantiles are tokens; factors and shares are ratios.
    """

    constants: dict[str, float]
    classes: dict[int, tuple[str, str, str]]  # position: (class, method, label)
    weights: dict[tuple[str, str], int]  # (class, new or modified)
    overheads: dict[tuple[str, str], int]
    floors: dict[tuple[str, str], int]
    # position: (condition, category, complexity, threshold, factor)
    buffers: dict[int, tuple[str, str, str, float, float]]
    file_sizes: dict[tuple[str, int], tuple[float, float]]  # (measure, position): (below, factor)
    action_words: dict[str, str]
    features: dict[str, tuple[str, str]]  # phrase: (feature, where)
    history_files: dict[str, str]
    category_aliases: dict[str, str]
    complexity_aliases: dict[str, str]
    complexity_suffixes: dict[str, str]
    stop_classes: dict[str, str]
    limits: dict[tuple[str, str], int]  # of older files; the seed answers
    multipliers: dict[tuple[str, str, str], float]  # (kind, category, complexity)
    answer_lengths: dict[str, int]  # model: tokens that two of its answers had at least
    # (widest label, model, rate): (what the logarithm of a budget is moved by, calls judged)
    online_rates: dict[tuple[object, object, float], tuple[float, int]]
    # medians of cells and the ends of their ranges: (tokens, n)
    medians: dict[Cell, tuple[float, int]]
    median_lows: dict[Cell, tuple[float, int]]
    median_highs: dict[Cell, tuple[float, int]]
    # (widest label, model), one of them None: (logarithm over the median, calls known)
    so_far: dict[tuple[object, object], tuple[float, int]]
    # (label or model, widest label, class of calls known, rate): (logarithm, n, identified)
    so_far_quantiles: dict[tuple[str, object, int | None, float], tuple[float, int, bool]]
    # (feature, widest label, class, rate): (logarithm, n)
    run_factors: dict[tuple[str, object, int, float], tuple[float, int]]
    # the rates of a cell, the strictest first: (max_truncation, tokens, n, identified, share of
    # its own cells in it)
    cells: dict[Cell, list[tuple[float, int, int, bool, float]]]

    def __init__(
        self, coefficients_id: str, levels: tuple[str, ...], rows: list[Row], path: str
    ) -> None:
        """Index checked rows; raises CoefficientsError when they contradict each other."""
        self.coefficients_id = coefficients_id
        self.levels = levels  # what tells cells apart, from wide to narrow
        self.model_level = levels.index("model")
        self.label_level = self.model_level - (ESTIMATE_BIN in levels)
        self.path = path
        self.row_count = len(rows)
        for kind in KINDS.values():
            setattr(self, kind.attribute, {})
        self._index(rows)
        fault = self._missing() or self._contradiction()
        if fault:
            raise CoefficientsError(path, f"{fault}; {EXPORT_AGAIN}")
        self.found: dict[Hashable, tuple[Cell, Quantile | None]] = {}  # look-ups of budgets, kept
        self.n_known = max([n for _, _, n, *_ in self.cells.get((), ())], default=0)
        self.run_rates = {rate for *_, rate in self.run_factors}
        self.moves_found: dict[Hashable, dict[float, float]] = {}  # of runs, kept as well
        self.moves_differ = self._moves_differ()
        self.has_models = any(model is not None for _, model in self.so_far)
        self.ln_median = math.log(self.medians[()][0]) if () in self.medians else None

    def category(self, name: str) -> str:
        """The canonical category of a name; an unknown one stays, in lower case."""
        key = vocabulary_key(name)
        return self.category_aliases.get(key, key)

    def complexity(self, name: str) -> str:
        """The canonical complexity of a name; an unknown one stays, in lower case."""
        key = vocabulary_key(name)
        if key in self.complexity_aliases:
            return self.complexity_aliases[key]
        stems = [key[: -len(end)] for end in self.complexity_suffixes if key.endswith(end)]
        return self.complexity_aliases.get(min(stems), key) if stems else key

    def steps(self, measure: str) -> list[tuple[float, float]]:
        """The steps (below, factor) of a measure of a file, in order; the last has no bound."""
        return [step for (name, _), step in sorted(self.file_sizes.items()) if name == measure]

    def factors(self, category: str, complexity: str) -> tuple[float, float | None, float | None]:
        """The multiplier of a cell, else of its category, else of all calls, and its own range.

        Without one 1; without a range None. The range holds the multiplier.
        """
        found = self.multipliers.get
        for key in ((category, complexity), (category, ""), ("", "")):
            factor = found(("multiplier", *key))
            if factor is not None:
                low, high = found(("multiplier_low", *key)), found(("multiplier_high", *key))
                return factor, low and min(low, factor), high and max(high, factor)
        return 1.0, None, None

    def _moves_differ(self) -> bool:
        """Whether a label or a model is moved by another factor at one rate than at others."""
        moved: dict[object, list[float]] = {}
        for (label, model, _), (ln_factor, _) in self.online_rates.items():
            moved.setdefault((label, model), []).append(ln_factor)
        rates = len(self.cells.get((), ()))
        return any(len(set(found)) > 1 or len(found) < rates for found in moved.values())

    def run_moves(self, label: object, classes: RunClasses) -> dict[float, float]:
        """By rate: what a budget's logarithm is moved by because of earlier calls of its run."""
        found = self.moves_found.get((label, classes))
        if found is None:
            found = {}
            for feature, class_ in classes:
                for rate in self.run_rates:
                    factor = self.run_factors.get((feature, label, class_, rate))
                    found[rate] = found.get(rate, 0.0) + (factor[0] if factor else 0.0)
            if len(self.moves_found) >= MAX_MOVES:
                self.moves_found.clear()
            self.moves_found[label, classes] = found
        return found

    def cell(self, values: Mapping[str, object]) -> Cell:
        """The narrowest cell that lies within these values of the levels; None is no value."""
        get = values.get
        cell = tuple([get(name) for name in self.levels])
        end = len(cell)
        while end and cell[end - 1] is None:
            end -= 1
        return cell[:end]

    def _index(self, rows: list[Row]) -> None:
        for line, row in enumerate(rows, 2):
            kind = KINDS[row["kind"]]
            table, key = getattr(self, kind.attribute), kind.key(row)
            if isinstance(key, dict):
                key = self.cell(key)
            if kind.is_list:
                table.setdefault(key, []).append(kind.entry(row))
            elif key in table:
                raise CoefficientsError(
                    self.path, f"a {row['kind']} with this key stands twice", line
                )
            else:
                table[key] = kind.entry(row)

    def _missing(self) -> str:
        """What no estimate can do without and the table does not have, or an empty text."""
        for name in CONSTANTS:
            if name not in self.constants:
                return f"the constant {name} is missing"
        if not any(method == "any" for _, method, _ in self.classes.values()):
            return "no deliverable_class has the method any"
        for name, _, _ in self.classes.values():
            for action in ("new", "modified"):
                if (name, action) not in self.weights:
                    return f"the token_weight {name} {action} is missing"
        if ("", "") not in self.floors:
            return "the base_budget without category and complexity is missing"
        if not any(condition == "always" for condition, *_ in self.buffers.values()):
            return "the budget_buffer always is missing"
        return ""

    def _contradiction(self) -> str:
        """What in the table cannot be true together, or an empty text."""
        for name, (low, high) in CONSTANTS.items():
            if not low <= self.constants[name] <= high:
                return f"the constant {name} is not between {low:g} and {high:g}"
        for measure in ("loc", "imports", "indent"):
            steps = self.steps(measure)
            if steps != sorted(steps) or not steps or steps[-1][0] != float("inf"):
                return (
                    f"the file_size_factor steps of {measure} do not rise to one without threshold"
                )
        for cell, quantiles in self.cells.items():
            quantiles.sort()
            for strict, loose in pairwise(quantiles):
                if strict[0] == loose[0]:
                    return f"the budget of {cell} for {strict[0]:g} truncation stands twice"
                if strict[1] < loose[1]:
                    return (
                        f"the budget of {cell} falls from {loose[0]:g} to {strict[0]:g} truncation"
                    )
        return ""


def load(path: str = PACKAGED) -> Coefficients:
    """Read, check and index a file; raises CoefficientsError that names the line and the fix.

    The packaged table is not hashed again: a test does so, and importing hashlib takes as long
    as the rest of the loading.
    """
    is_packaged = path == PACKAGED
    return parse(_packaged() if is_packaged else read(path), path, check_hash=not is_packaged)


def _packaged() -> bytes:
    try:
        return read(PACKAGED)
    except CoefficientsError:  # within a zipapp no file has that path, and its importer reads it
        with contextlib.suppress(AttributeError, OSError):
            return bytes(__spec__.loader.get_data(PACKAGED))  # type: ignore[union-attr]
        raise


def parse(data: bytes, path: str, *, check_hash: bool = True) -> Coefficients:
    """Check and index the bytes of a coefficients file; `path` is for the messages only."""
    return Coefficients(*decode(data, path, check_hash=check_hash), path)
