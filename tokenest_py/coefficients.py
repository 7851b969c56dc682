"""One checked table of coefficients, indexed as the estimator and the budgets look things up."""

from __future__ import annotations

import os
from itertools import pairwise

from tokenest_py._typing import TYPE_CHECKING
from tokenest_py.coefficient_file import EXPORT_AGAIN, decode, read
from tokenest_py.errors import CoefficientsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Row = dict[str, Any]
    Cell = tuple[str, str, str, int | None]  # category, complexity, model, input_bin

PACKAGED = f"{__file__.rpartition(os.sep)[0]}/defaults/coefficients.ndjson"

MAX_LIMITS = 1024  # answers of limit() that are kept

# What the code asks for by name, with bounds: a table without one of them is of no use.
CONSTANTS = {
    "safety_margin": (0.1, 10),
    "default_phase_overhead": (0, 1e6),
    "default_interval": (0, 1),
    "confidence_base": (0, 1),
    "confidence_extension": (0, 1),
    "confidence_action": (0, 1),
    "confidence_no_deliverables": (0, 1),
    "confidence_doc_synthesis": (0, 1),
    "confidence_doc_sot_update": (0, 1),
    "file_size_minimum": (0.01, 100),
    "file_size_maximum": (0.01, 100),
    "documentation_models": (0, 1),
    "scope_strong_above": (0, 1e6),
    "doc_synthesis_investigate_none": (0, 1e6),
    "doc_synthesis_investigate_some": (0, 1e6),
    "doc_synthesis_investigate_strong": (0, 1e6),
    "doc_synthesis_api_reference": (0, 1e6),
    "doc_synthesis_examples": (0, 1e6),
    "doc_synthesis_per_file": (0, 1e6),
    "doc_synthesis_coordination": (0, 10),
    "doc_synthesis_coordination_files": (0, 1e6),
    "doc_sot_context_none": (0, 1e6),
    "doc_sot_context_some": (0, 1e6),
    "doc_sot_context_strong": (0, 1e6),
    "doc_sot_per_file": (0, 1e6),
    "doc_sot_consistency": (0, 10),
    "max_budget": (1, 1e7),
    "min_budget": (1, 1e6),
    "retry_factor": (1, 10),
}


class Coefficients:
    """A table. An absent key column is the empty text in a key, or None for `input_bin`.

    Weights, overheads, floors, limits and quantiles are tokens; factors and shares are ratios.
    """

    def __init__(self, coefficients_id: str, rows: list[Row], path: str) -> None:
        """Index checked rows; raises CoefficientsError when they contradict each other."""
        self.coefficients_id = coefficients_id
        self.path = path
        self.row_count = len(rows)
        self.constants: dict[str, float] = {}
        self.classes: dict[int, tuple[str, str, str]] = {}  # position: (class, method, label)
        self.weights: dict[tuple[str, str], int] = {}  # (class, new or modified)
        self.overheads: dict[tuple[str, str], int] = {}
        self.floors: dict[tuple[str, str], int] = {}
        # position: (condition, category, complexity, threshold, factor)
        self.buffers: dict[int, tuple[str, str, str, float, float]] = {}
        # (measure, position): (below, factor)
        self.file_sizes: dict[tuple[str, int], tuple[float, float]] = {}
        self.action_words: dict[str, str] = {}
        self.features: dict[str, tuple[str, str]] = {}  # phrase: (feature, where)
        self.history_files: dict[str, str] = {}
        self.category_aliases: dict[str, str] = {}
        self.complexity_aliases: dict[str, str] = {}
        self.complexity_suffixes: dict[str, str] = {}
        self.stop_classes: dict[str, str] = {}
        self.limits: dict[tuple[str, str], int] = {}  # (model, limit)
        self._limits: dict[tuple[str, str], int | None] = {}  # what limit() has found
        self.multipliers: dict[tuple[str, str, str], float] = {}  # (kind, category, complexity)
        # the rates of a cell, the strictest first: (max_truncation, tokens, n, identified)
        self.cells: dict[Cell, list[tuple[float, int, int, bool]]] = {}
        self._index(rows)
        fault = self._missing() or self._contradiction()
        if fault:
            raise CoefficientsError(path, f"{fault}; {EXPORT_AGAIN}")

    def category(self, name: str) -> str:
        """The canonical category of a name; an unknown one stays, in lower case."""
        key = name.strip(" ").lower()
        return self.category_aliases.get(key, key)

    def complexity(self, name: str) -> str:
        """The canonical complexity of a name; an unknown one stays, in lower case."""
        key = name.strip(" ").lower()
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

    def limit(self, model: str, name: str) -> int | None:
        """A model's max_output or context_window in tokens, from the longest name that fits."""
        key = (model, name)
        if key not in self._limits:
            if len(self._limits) >= MAX_LIMITS:
                self._limits.clear()
            self._limits[key] = self._find_limit(model.strip(" ").lower().rpartition("/")[2], name)
        return self._limits[key]

    def _find_limit(self, model: str, name: str) -> int | None:
        for end in range(len(model), 0, -1):
            if (model[:end], name) in self.limits:
                return self.limits[model[:end], name]
        return None

    def _index(self, rows: list[Row]) -> None:
        cells = self.cells
        for line, row in enumerate(rows, 2):
            if row["kind"] == "budget":
                get = row.get
                cell = (
                    get("category", ""),
                    get("complexity", ""),
                    get("model", ""),
                    get("input_bin"),
                )
                quantile = (
                    row["max_truncation"],
                    int(row["value"]),
                    get("n", 0),
                    row["label"] == "identified",
                )
                if cell in cells:
                    cells[cell].append(quantile)
                else:
                    cells[cell] = [quantile]
                continue
            attribute, key_of, entry_of = _PLACES[row["kind"]]
            table = getattr(self, attribute)
            key = key_of(row)
            if key in table:
                raise CoefficientsError(
                    self.path, f"a {row['kind']} with this key stands twice", line
                )
            table[key] = entry_of(row)

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
    return parse(read(path), path, check_hash=path != PACKAGED)


def parse(data: bytes, path: str, *, check_hash: bool = True) -> Coefficients:
    """Check and index the bytes of a coefficients file; `path` is for the messages only."""
    return Coefficients(*decode(data, path, check_hash=check_hash), path)


def _cell(row: Row) -> tuple[str, str]:
    return row.get("category", ""), row.get("complexity", "")


def _name(row: Row) -> object:
    return row["name"]


def _label(row: Row) -> object:
    return row["label"]


def _position(row: Row) -> object:
    return row["position"]


def _name_and_label(row: Row) -> tuple[str, str]:
    return row["name"], row["label"]


def _tokens(row: Row) -> int:
    return int(row["value"])


def _ratio(row: Row) -> float:
    return float(row["value"])


# kind: the table of Coefficients, the key of a row there, and what is kept of the row
_PLACES: dict[str, tuple[str, Callable[[Row], object], Callable[[Row], object]]] = {
    "action_word": ("action_words", _name, _label),
    "base_budget": ("floors", _cell, _tokens),
    "budget_buffer": (
        "buffers",
        _position,
        lambda row: (row["name"], *_cell(row), row.get("threshold", 0.0), row["value"]),
    ),
    "category_alias": ("category_aliases", _name, _label),
    "complexity_alias": ("complexity_aliases", _name, _label),
    "complexity_suffix": ("complexity_suffixes", _name, _name),
    "constant": ("constants", _name, _ratio),
    "deliverable_class": (
        "classes",
        _position,
        lambda row: (row["name"], row["method"], row.get("label", "")),
    ),
    "document_feature": ("features", _label, lambda row: (row["name"], row["method"])),
    "file_size_factor": (
        "file_sizes",
        lambda row: (row["name"], row["position"]),
        lambda row: (row.get("threshold", float("inf")), row["value"]),
    ),
    "history_file": ("history_files", _label, _label),
    "model_limit": ("limits", lambda row: (row["model"], row["name"]), _tokens),
    "multiplier": ("multipliers", lambda row: ("multiplier", *_cell(row)), _ratio),
    "multiplier_high": ("multipliers", lambda row: ("multiplier_high", *_cell(row)), _ratio),
    "multiplier_low": ("multipliers", lambda row: ("multiplier_low", *_cell(row)), _ratio),
    "phase_overhead": ("overheads", _cell, _tokens),
    "stop_reason": ("stop_classes", _name, _label),
    "token_weight": ("weights", _name_and_label, _tokens),
}
