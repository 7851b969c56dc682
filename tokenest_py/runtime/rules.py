"""One table of coefficients compiled: what it says of a cell, and of each deliverable."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from tokenest_py.runtime import documents
from tokenest_py.runtime.deliverables import Reader
from tokenest_py.runtime.results import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenest_py.runtime.deliverables import Deliverable
    from tokenest_py.runtime.table import Coefficients
    from tokenest_py.runtime.workspace import Workspace

# Raised whenever the same table and the same deliverables give another estimate than before:
# ratios of actual to predicted tokens are comparable within one version alone.
ESTIMATOR_VERSION = "1"
MAX_KEPT = 4096  # readings of deliverables that are kept


class Cell:
    """What a table says of one category and complexity."""

    __slots__ = (
        "category",
        "class_category",
        "complexity",
        "high",
        "low",
        "multiplier",
        "overhead",
    )

    def __init__(self, rules: Rules, category: str, complexity: str) -> None:
        """Look everything up that does not depend on the deliverables."""
        table = rules.coefficients
        self.category = rules.category(category)
        self.complexity = table.complexity(complexity)
        key = self.category, self.complexity
        self.class_category = key[0] if key[0] in rules.reader.class_categories else ""
        self.multiplier, self.low, self.high = table.factors(*key)
        default = int(table.constants["default_phase_overhead"])
        self.overhead = table.overheads.get(rules.overhead_key(*key), default)


class Reading:
    """One deliverable with everything about it that does not depend on the disk."""

    __slots__ = (
        "absent",
        "deliverable",
        "has_action",
        "has_extension",
        "is_document",
        "look_up",
    )

    def __init__(self, rules: Rules, item: Deliverable) -> None:
        """Settle what the disk cannot change."""
        self.deliverable = item
        self.has_extension = item.has_extension
        self.has_action = item.has_action
        self.is_document = rules.is_document(item)
        full_path = "" if rules.workspace is None else rules.workspace.locate(item.path)
        # the file to ask the disk for, unless it is new anyway
        self.look_up = "" if item.action == "new" else full_path
        # what it adds when that file is not there, by what the caller assumes
        if item.action or full_path:
            decided_by = "action" if item.action else "workspace"
            part = rules.part(item, item.action or "new", decided_by)
            self.absent = {"new": part, "modified": part}
        else:
            self.absent = {
                state: rules.part(item, state, "assumed") for state in ("new", "modified")
            }


class Rules:
    """One table, with the readings and cells that were looked up by it."""

    version: ClassVar = ESTIMATOR_VERSION
    reader_type: ClassVar = Reader

    def __init__(self, coefficients: Coefficients, workspace: Workspace | None) -> None:
        """Compile the table's rules; `workspace` is where existing files are looked up."""
        self.coefficients = coefficients
        self.workspace = workspace
        self.documents = coefficients.constants["documentation_models"] > 0
        self.reader = self.reader_type(coefficients)
        self.read = lru_cache(MAX_KEPT)(self.read_anew)
        self.cell = lru_cache(MAX_KEPT)(self._cell)

    def category(self, name: str) -> str:
        """The canonical category of a name."""
        return self.coefficients.category(name)

    def overhead_key(self, category: str, complexity: str) -> tuple[str, str]:
        """Where the overhead of a cell stands in the table."""
        return category, complexity

    def is_document(self, item: Deliverable) -> bool:
        """Whether a deliverable is a document."""
        return item.name == documents.DOCUMENT

    def choose(
        self, items: Sequence[Deliverable], category: str, task: str
    ) -> tuple[str, str, frozenset[str]]:
        """The model for documents alone, its category and the features; see documents.py."""
        return documents.choose(self.coefficients, items, category, task)

    def part(self, item: Deliverable, state: str, decided_by: str, factor: float = 1.0) -> Part:
        """What a deliverable adds in a state, its file scaling the weight by a factor."""
        tokens = int(self.coefficients.weights[item.name, state] * factor)
        return Part(item, state, decided_by, factor, tokens, f"{item.name}_{state}")

    def existing(self, reading: Reading) -> Part:
        """What the modification of a file that exists adds, by the file's size."""
        factor = 1.0
        if self.workspace is not None:
            factor = self.workspace.size_factor(reading.look_up, self.coefficients)
        decided_by = "action" if reading.deliverable.action else "workspace"
        return self.part(reading.deliverable, "modified", decided_by, factor)

    def read_anew(self, text: str, action: str | None, class_category: str) -> Reading:
        """The reading of a deliverable, which `read` keeps: for texts too long to be kept."""
        return Reading(self, self.reader.read(text, action, class_category))

    def _cell(self, category: str, complexity: str) -> Cell:
        return Cell(self, category, complexity)
