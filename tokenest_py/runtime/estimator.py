"""Predicts the output tokens of a call from what it has to deliver.

    base   = int((overhead of the phase + sum over the deliverables) * safety margin)
    tokens = int(base * multiplier of the cell)

Every number comes from one table of coefficients; docs/estimator.md explains the model.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from tokenest_py.errors import DroppedEventError, UsageError
from tokenest_py.runtime import documents
from tokenest_py.runtime.arguments import check_count, check_flag, length_of, path_of
from tokenest_py.runtime.budget import Escalation, check_call, escalate, size
from tokenest_py.runtime.deliverables import normalize
from tokenest_py.runtime.estimates import finished, without_deliverables
from tokenest_py.runtime.labels import NO_LABELS, checked
from tokenest_py.runtime.limits import Limits
from tokenest_py.runtime.memory import Memory
from tokenest_py.runtime.providers import response_fields
from tokenest_py.runtime.rules import Rules
from tokenest_py.runtime.table.source import Source, Status
from tokenest_py.runtime.text import MAX_TEXT
from tokenest_py.runtime.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tokenest_py.runtime.budget import Budget
    from tokenest_py.runtime.results import TokenEstimate
    from tokenest_py.runtime.rules import Cell, Reading

DEFAULT_CATEGORY = "implementation"


class Estimator:
    """Predicts output tokens and sizes ceilings from one table of coefficients.

    Thread-safe: tables and readings are replaced as a whole, results are immutable.
    """

    _rules_type: ClassVar = Rules

    def __init__(
        self,
        source: Source,
        *,
        workspace: str | os.PathLike[str] | None = None,
        limits: Mapping[str, tuple[int, int | None]] | None = None,
        memory: bool = True,
    ) -> None:
        """Use a source of coefficients; `Estimator.load` is the usual way to make one."""
        if not isinstance(source, Source):
            raise UsageError("source", source, "Estimator.load(path)")
        check_flag("memory", memory)
        folder = None if workspace is None else Workspace(path_of("workspace", workspace))
        self.__setstate__((source, folder, Limits(limits), memory))

    def __getstate__(self) -> tuple[Source, Workspace | None, Limits, bool]:
        """How it was made; what is unpickled reads the file itself and has seen nothing yet."""
        return self._source, self._workspace, self._limits, self._memory is not None

    def __setstate__(self, state: tuple[Source, Workspace | None, Limits, bool]) -> None:
        """Begin with the table of the source, and nothing seen."""
        self._source, self._workspace, self._limits, has_memory = state
        self._rules = self._rules_type(self._source.coefficients, self._workspace)
        self._memory = Memory() if has_memory else None

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        workspace: str | os.PathLike[str] | None = None,
        strict: bool = False,
        reload_after: float | None = None,
        limits: Mapping[str, tuple[int, int | None]] | None = None,
        memory: bool = True,
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
            limits: What models take at most that no list knows, such as deployments of one's own:
                {"my-deployment": (max_output, context_window)}, in tokens.
            memory: Whether budgets follow what `observe()` sees. Without it they come from the
                table alone.
        """
        source = Source(path, strict=strict, reload_after=reload_after)
        return cls(source, workspace=workspace, limits=limits, memory=memory)

    def estimate(
        self,
        deliverables: object = None,
        category: str | None = None,
        complexity: str | None = None,
        *,
        task: str | None = None,
        scope_paths: Collection[str] | None = None,
        assume: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        model: str | None = None,
        input_tokens: int | None = None,
    ) -> TokenEstimate:
        """The output tokens that a call will need.

        Args:
            deliverables: Paths, phrases ("Create src/foo.py"), {path, action} objects, or any of
                these nested in mappings and iterables.
            category: Any spelling of it. Deliverables without one are implementation, documents
                alone documentation; a call with neither is sized as all calls are.
            complexity: low, medium, high or maintenance, in any spelling.
            task: The task's text, in which the document models look for features.
            scope_paths: What the call is given to read; only their number counts, and only for
                the document models.
            assume: "new" (the default) or "modified": what a deliverable is when neither its text
                nor the workspace says so.
            labels: What the call is grouped by besides category and complexity, such as
                {"project": "web"}. A table that knows the name has budgets of its own for it.
            model: Its name. Like input_tokens it counts where there are no deliverables: then the
                estimate is the median of the calls that are most alike.
            input_tokens: Tokens of the prompt.

        Raises:
            UsageError: An argument that says nothing of a call, whatever its type.
        """
        for name, text in (("category", category), ("complexity", complexity), ("task", task)):
            if not isinstance(text, (str, type(None))):
                raise UsageError(name, text, "a text, or nothing")
        check_call(model, input_tokens)
        # what is found by a name is kept with it: not with a prompt that was handed over as one
        category, complexity = (category or "")[:MAX_TEXT], (complexity or "")[:MAX_TEXT]
        scope = length_of("scope_paths", scope_paths)
        said = checked(labels)
        if said:
            estimate = self.estimate(
                deliverables, category, complexity,
                task=task, scope_paths=scope_paths, assume=assume,
            )  # fmt: skip
            if estimate.model == "no_deliverables":
                estimate = without_deliverables(
                    self._current(), self._memory, category, complexity, said, model, input_tokens
                )
            return estimate._replace(labels=said)
        assume = assume or "new"
        if assume not in ("new", "modified"):
            raise UsageError("assume", assume, ("new", "modified"))
        rules = self._current()
        cell = rules.cell(category or DEFAULT_CATEGORY, complexity)
        class_category = cell.class_category
        read, read_anew = rules.read, rules.read_anew
        readings = [
            (read if len(text) <= MAX_TEXT else read_anew)(text, action, class_category)
            for text, action in normalize(deliverables)
        ]
        if not readings:
            return without_deliverables(
                rules, self._memory, category, complexity, NO_LABELS, model, input_tokens
            )
        if rules.documents and all(reading.is_document for reading in readings):
            items = [reading.deliverable for reading in readings]
            model, final, found = rules.choose(items, cell.category, task or "")
            cell = rules.cell(final, complexity)
            if model != documents.DELIVERABLES:
                table, files = rules.coefficients, len(items)
                breakdown = documents.parts(table, model, files, found, scope)
                recorded = documents.recorded_parts(table, model, files, found, scope)
                confidence = table.constants[f"confidence_{model}"]
                return finished(
                    rules, cell, model, 0, breakdown, confidence, readings, (), recorded
                )
        return self._by_deliverables(rules, cell, readings, assume)

    def budget(
        self,
        estimate: TokenEstimate,
        *,
        model: str | None = None,
        input_tokens: int | None = None,
        max_truncation: float = 0.02,
        max_tokens: int | None = None,
        reasoning_tokens: int = 0,
        control_share: float = 0.0,
        run_id: str | None = None,
    ) -> Budget:
        """The ceiling to send with a call, in tokens.

        Args:
            estimate: What `estimate()` returned for the call.
            model: Its name; limits the ceiling to the model's maximum, where that is known.
            input_tokens: Tokens of the prompt; limits the ceiling to the rest of the context
                window, and finds the quantiles of calls of this size.
            max_truncation: The rate of truncated answers that is accepted, a ratio. The table
                has certain rates; the largest one not above this is used.
            max_tokens: The caller's own limit.
            reasoning_tokens: Headroom for reasoning, added to what visible output needs. Leave it
                at 0 when the recorded output tokens include reasoning already.
            control_share: The share of calls, drawn at random, that get the most that may be
                asked for. They keep the tail of the demand known; 0.05 is enough. Off by default.
            run_id: The run that the call belongs to, where `observe()` is told of its calls: what
                they needed moves the budgets of the next ones, if the table has seen that it helps.
        """
        return size(
            self._current().coefficients,
            self._limits,
            estimate,
            model=model,
            input_tokens=input_tokens,
            max_truncation=max_truncation,
            max_tokens=max_tokens,
            reasoning_tokens=reasoning_tokens,
            control_share=control_share,
            memory=self._memory,
            run_id=run_id,
        )

    def observe(
        self,
        budget: Budget,
        *,
        output_tokens: int,
        stop_reason: str | None = None,
        run_id: str | None = None,
    ) -> None:
        """Take up what became of a call that `budget()` sized; the next budgets follow it.

        Remembered in this process alone, within bounds, until a newer table comes; the next build
        computes it again from telemetry. Never raises: what cannot be taken up is left out.

        Args:
            budget: What `budget()` returned for the call.
            output_tokens: All that counted against the ceiling, reasoning included.
            stop_reason: The provider's word for why the answer ended.
            run_id: The run that the call belongs to.
        """
        if self._memory is None:
            return
        try:
            self._memory.observe(
                self._current().coefficients, budget, output_tokens, stop_reason, run_id
            )
        except Exception:  # noqa: BLE001 - any object may be handed over; the call has succeeded
            self._memory.faults += 1

    def after_truncation(
        self, budget: Budget, stop_reason: str | None, *, output_tokens: int | None = None
    ) -> Escalation:
        """What to do after an answer: the next ceiling, or None and why there is none.

        The ceiling (or the output, when that was larger) is doubled once, within what the model,
        its context window and the caller allow. A stop reason that means a full context window
        gets no larger ceiling. An output that reached the ceiling counts as truncated whatever
        the stop reason says.
        """
        if output_tokens is not None:
            check_count("output_tokens", output_tokens, 0)
        return escalate(self._current().coefficients, budget, stop_reason, output_tokens)

    def after_response(self, budget: Budget, response: object) -> Escalation:
        """What to do after an answer, all of it read from the provider's response.

        As `after_truncation`. A response that cannot be read gets no larger ceiling, and the
        reason says so.
        """
        try:
            fields = response_fields(response)
        except DroppedEventError as error:
            return Escalation(None, f"the response cannot be read: {error}")
        stop_reason, tokens = fields.get("stop_reason"), fields.get("actual_output_tokens")
        return escalate(
            self._current().coefficients,
            budget,
            None if stop_reason is None else str(stop_reason),
            tokens if isinstance(tokens, int) else None,
        )

    def explain(self, estimate: TokenEstimate, budget: Budget | None = None) -> str:
        """How each number of an estimate, and of its budget, came about: lines of plain text."""
        from tokenest_py.runtime.explain import explain

        return explain(self._current().coefficients, estimate, budget)

    def status(self) -> Status:
        """Which coefficients are in use, and what is wrong with the file when it is not."""
        return self._source.status()

    def _current(self) -> Rules:
        table = self._source.latest()
        rules = self._rules
        if rules.coefficients is not table:
            rules = self._rules = self._rules_type(table, self._workspace)
        return rules

    def _by_deliverables(
        self, rules: Rules, cell: Cell, readings: list[Reading], assume: str
    ) -> TokenEstimate:
        parts = tuple(
            [
                rules.existing(reading)
                if reading.look_up and os.access(reading.look_up, os.F_OK)
                else reading.absent[assume]
                for reading in readings
            ]
        )
        breakdown: dict[str, int] = {}
        for _, _, _, _, tokens, label in parts:
            breakdown[label] = breakdown.get(label, 0) + tokens
        number = rules.coefficients.constants
        count = len(readings)
        confidence = (
            number["confidence_base"]
            + number["confidence_extension"] * sum([r.has_extension for r in readings]) / count
            + number["confidence_action"] * sum([r.has_action for r in readings]) / count
        )
        return finished(
            rules,
            cell,
            documents.DELIVERABLES,
            cell.overhead,
            breakdown,
            confidence,
            readings,
            parts,
        )
