"""Predicts the output tokens of a call from what it has to deliver.

    base   = int((overhead of the phase + sum over the deliverables) * safety margin)
    tokens = int(base * multiplier of the cell)

Every number comes from one table of coefficients; docs/estimator.md explains the model.
"""

from __future__ import annotations

import os
from functools import lru_cache
from types import MappingProxyType

from tokenest_py import documents, origin
from tokenest_py._typing import TYPE_CHECKING
from tokenest_py.budget import escalate, size
from tokenest_py.deliverables import Reader, normalize
from tokenest_py.errors import UsageError
from tokenest_py.estimates import Part, TokenEstimate
from tokenest_py.source import Source, Status
from tokenest_py.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tokenest_py.budget import Budget, Escalation
    from tokenest_py.coefficients import Coefficients
    from tokenest_py.deliverables import Deliverable

# Raised whenever the same table and the same deliverables give another estimate than before:
# ratios of actual to predicted tokens are comparable within one version alone.
ESTIMATOR_VERSION = "1"
MAX_READINGS = 4096  # deliverables whose reading is kept
DEFAULT_CATEGORY = "implementation"


class Estimator:
    """Predicts output tokens and sizes ceilings from one table of coefficients.

    Thread-safe: tables and readings are replaced as a whole, results are immutable.
    """

    def __init__(
        self,
        source: Source,
        *,
        workspace: str | os.PathLike[str] | None = None,
        compat: str | None = None,
    ) -> None:
        """Use a source of coefficients; `Estimator.load` is the usual way to make one."""
        if compat not in (None, "origin"):
            raise UsageError("compat", compat, "None or 'origin'")
        self._source = source
        self._compat = compat == "origin"
        self._version = f"{ESTIMATOR_VERSION}-origin" if self._compat else ESTIMATOR_VERSION
        self._workspace = None if workspace is None else Workspace(os.fspath(workspace))
        self._rules = _Rules(source.coefficients, compat=self._compat)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        workspace: str | os.PathLike[str] | None = None,
        strict: bool = False,
        reload_after: float | None = None,
        compat: str | None = None,
    ) -> Estimator:
        """An estimator with the coefficients of a file.

        Args:
            path: The file; without it TOKENEST_COEFFICIENTS, else the packaged defaults.
            workspace: The folder in which existing files are looked up; without it none are, and
                `estimate(assume=...)` says what a deliverable is that does not say it itself.
            strict: Raise CoefficientsError when the file cannot be used. Otherwise the packaged
                defaults are used and `status()` says why.
            reload_after: Look for a newer file at most every so many seconds; without it never.
                Never raises: a faulty file leaves the last good table in place.
            compat: "origin" reads deliverables and categories as the origin does.
        """
        source = Source(path, strict=strict, reload_after=reload_after)
        return cls(source, workspace=workspace, compat=compat)

    def estimate(
        self,
        deliverables: object = None,
        category: str | None = None,
        complexity: str | None = None,
        *,
        task: str = "",
        scope_paths: Collection[str] = (),
        assume: str | None = None,
    ) -> TokenEstimate:
        """The output tokens that a call will need.

        Args:
            deliverables: Paths, phrases ("Create src/foo.py"), {path, action} objects, or any of
                these nested in mappings and iterables.
            category: Any spelling of it; without one, implementation. Documents alone are
                documentation.
            complexity: low, medium, high or maintenance, in any spelling.
            task: The task's text, in which the document models look for features.
            scope_paths: What the call is given to read; only their number counts, and only for
                the document models.
            assume: "new" (the default) or "modified": what a deliverable is when neither its text
                nor the workspace says so.
        """
        if assume not in (None, "new", "modified"):
            raise UsageError("assume", assume, "'new' or 'modified'")
        rules = self._current()
        table = rules.coefficients
        category = category or DEFAULT_CATEGORY
        if not self._compat:
            category = table.category(category)
        complexity = table.complexity(complexity or "")
        given = normalize(deliverables)
        if not given:
            return self._without_deliverables(table, category, complexity)
        class_category = category if category in rules.reader.class_categories else ""
        items = [rules.read(text, action, class_category) for text, action in given]
        if table.constants["documentation_models"] and self._are_documents(items):
            choose = origin.choose if self._compat else documents.choose
            model, category, found = choose(table, items, category, task)
            if model != documents.DELIVERABLES:
                parts = documents.parts(table, model, len(items), found, len(scope_paths))
                return self._by_document_model(table, items, model, complexity, parts)
        return self._by_deliverables(table, items, category, complexity, assume or "new")

    def budget(
        self,
        estimate: TokenEstimate,
        *,
        model: str | None = None,
        input_tokens: int | None = None,
        max_truncation: float = 0.02,
        max_tokens: int | None = None,
        reasoning_tokens: int = 0,
    ) -> Budget:
        """The ceiling to send with a call, in tokens.

        Args:
            estimate: What `estimate()` returned for the call.
            model: Its name; limits the ceiling to the model's maximum.
            input_tokens: Tokens of the prompt; limits the ceiling to the rest of the context
                window, and finds the quantiles of calls of this size.
            max_truncation: The rate of truncated answers that is accepted, a ratio. The table
                has certain rates; the largest one not above this is used.
            max_tokens: The caller's own limit.
            reasoning_tokens: Headroom for reasoning, added to what visible output needs. Leave it
                at 0 when the recorded output tokens include reasoning already.
        """
        return size(
            self._current().coefficients,
            estimate,
            model=model,
            input_tokens=input_tokens,
            max_truncation=max_truncation,
            max_tokens=max_tokens,
            reasoning_tokens=reasoning_tokens,
        )

    def after_truncation(
        self, budget: Budget, stop_reason: str | None, *, output_tokens: int | None = None
    ) -> Escalation:
        """What to do after an answer: the next ceiling, or None and why there is none.

        The ceiling (or the output, when that was larger) is doubled once, within what the model,
        its context window and the caller allow. A stop reason that means a full context window
        gets no larger ceiling. An output that reached the ceiling counts as truncated whatever
        the stop reason says.
        """
        return escalate(self._current().coefficients, budget, stop_reason, output_tokens)

    def explain(self, estimate: TokenEstimate, budget: Budget | None = None) -> str:
        """How each number of an estimate, and of its budget, came about: lines of plain text."""
        from tokenest_py.explain import explain

        return explain(self._current().coefficients, estimate, budget)

    def status(self) -> Status:
        """Which coefficients are in use, and what is wrong with the file when it is not."""
        return self._source.status()

    def cache_clear(self) -> None:
        """Forget readings of deliverables and sizes of files."""
        self._rules.read.cache_clear()
        if self._workspace is not None:
            self._workspace.forget()

    def cache_info(self) -> tuple[int, int, int | None, int]:
        """Hits, misses, largest and present number of the readings of deliverables kept.

        Whether a file exists is never kept: it is asked at each estimate.
        """
        return self._rules.read.cache_info()

    def _current(self) -> _Rules:
        table = self._source.latest()
        rules = self._rules
        if rules.coefficients is not table:
            rules = self._rules = _Rules(table, compat=self._compat)
        return rules

    def _are_documents(self, items: Sequence[Deliverable]) -> bool:
        if self._compat:
            return all(origin.is_document(item.text) for item in items)
        return all(item.name == documents.DOCUMENT for item in items)

    def _by_deliverables(
        self,
        table: Coefficients,
        items: Sequence[Deliverable],
        category: str,
        complexity: str,
        assume: str,
    ) -> TokenEstimate:
        number = table.constants
        parts = [self._part(table, item, assume) for item in items]
        breakdown: dict[str, int] = {}
        for part in parts:
            label = f"{part.deliverable.name}_{part.state}"
            breakdown[label] = breakdown.get(label, 0) + part.tokens
        key = origin.overhead_key(category, complexity) if self._compat else (category, complexity)
        overhead = table.overheads.get(key, int(number["default_phase_overhead"]))
        confidence = (
            number["confidence_base"]
            + number["confidence_extension"] * sum(i.has_extension for i in items) / len(items)
            + number["confidence_action"] * sum(i.has_action for i in items) / len(items)
        )
        return self._finish(
            table,
            items,
            documents.DELIVERABLES,
            category,
            complexity,
            overhead,
            breakdown,
            confidence,
            parts,
        )

    def _part(self, table: Coefficients, item: Deliverable, assume: str) -> Part:
        """What one deliverable adds, by its own word, by the workspace, or by assumption."""
        workspace, state, decided_by, factor = self._workspace, item.action, "action", 1.0
        if workspace is not None and state != "new":
            exists = workspace.has(item.path)
            if exists:
                factor = workspace.size_factor(item.path, table)
            if not state:
                state, decided_by = "modified" if exists else "new", "workspace"
        elif not state:
            state, decided_by = assume, "assumed"
        weight = table.weights[item.name, state]
        return Part(item, state, decided_by, factor, int(weight * factor))

    def _by_document_model(
        self,
        table: Coefficients,
        items: Sequence[Deliverable],
        model: str,
        complexity: str,
        parts: dict[str, int],
    ) -> TokenEstimate:
        confidence = table.constants[f"confidence_{model}"]
        return self._finish(table, items, model, model, complexity, 0, parts, confidence, ())

    def _without_deliverables(
        self, table: Coefficients, category: str, complexity: str
    ) -> TokenEstimate:
        """The floor of the complexity, whatever the category: nothing else is known."""
        tokens = table.floors.get(("", complexity), table.floors["", ""])
        spread = int(tokens * table.constants["default_interval"])
        return TokenEstimate(
            tokens,
            tokens - spread,
            tokens + spread,
            table.constants["confidence_no_deliverables"],
            MappingProxyType({}),
            category,
            complexity,
            0,
            (),
            table.coefficients_id,
            self._version,
            "no_deliverables",
            0,
            tokens,
            1.0,
            (),
        )

    def _finish(
        self,
        table: Coefficients,
        items: Sequence[Deliverable],
        model: str,
        category: str,
        complexity: str,
        overhead: int,
        breakdown: dict[str, int],
        confidence: float,
        parts: Sequence[Part],
    ) -> TokenEstimate:
        """Add margin and multiplier to the sum of overhead and breakdown."""
        base = int((overhead + sum(breakdown.values())) * table.constants["safety_margin"])
        multiplier = table.factor("multiplier", category, complexity) or 1.0
        tokens = int(base * multiplier)
        low = table.factor("multiplier_low", category, complexity)
        high = table.factor("multiplier_high", category, complexity)
        spread = int(tokens * table.constants["default_interval"])
        return TokenEstimate(
            tokens,
            tokens - spread if low is None else int(base * low),
            tokens + spread if high is None else int(base * high),
            min(confidence, 1.0),
            MappingProxyType(breakdown),
            category,
            complexity,
            len(items),
            tuple([item.text for item in items]),
            table.coefficients_id,
            self._version,
            model,
            overhead,
            base,
            multiplier,
            tuple(parts),
        )


class _Rules:
    """One table with the readings of deliverables that were made by it."""

    def __init__(self, coefficients: Coefficients, *, compat: bool) -> None:
        self.coefficients = coefficients
        self.reader: Reader = origin.OriginReader(coefficients) if compat else Reader(coefficients)
        self.read = lru_cache(MAX_READINGS)(self.reader.read)
