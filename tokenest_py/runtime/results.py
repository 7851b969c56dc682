"""What the estimator returns."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from tokenest_py.runtime.labels import NO_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tokenest_py.runtime.deliverables import Deliverable


class Part(NamedTuple):
    """What one deliverable adds to an estimate.

    `state` is "new" or "modified", `decided_by` "action", "workspace" or "assumed",
    `size_factor` the factor of the existing file, `tokens` the marginal tokens and `label` the
    line of the breakdown that they go to.
    """

    deliverable: Deliverable
    state: str
    decided_by: str
    size_factor: float
    tokens: int
    label: str


class TokenEstimate(NamedTuple):
    """A prediction of the output tokens of one call; immutable.

    Attributes:
        estimated_tokens: The prediction, in tokens.
        low: Lower end of its range, in tokens.
        high: Upper end of its range, in tokens.
        confidence: 0 to 1, how much the deliverables say.
        breakdown: Tokens by class and state, such as "test_new", or by part of a document model;
            without overhead, margin and multiplier.
        category: The canonical category; documents alone make it documentation, doc_synthesis or
            doc_sot_update.
        complexity: The canonical complexity; an unknown one as it came, in lower case.
        deliverable_count: How many deliverables were found.
        deliverables: Their texts, in the order given.
        coefficients_id: The table that the numbers come from.
        estimator_version: The version of the rules that read the table.
        model: "deliverables", "doc_synthesis", "doc_sot_update" or "no_deliverables".
        overhead: Tokens of the phase itself, before the margin.
        base_tokens: The prediction before the multiplier.
        multiplier: The calibration's factor on the whole prediction; 1.0 without one.
        parts: What each deliverable adds, in the order given; empty for the document models.
        document_parts: For the document models, the coefficients that were added up and how
            often, as `recorded_breakdown` has them.
        labels: What the call is grouped by besides category and complexity, in lower case.
    """

    estimated_tokens: int
    low: int
    high: int
    confidence: float
    breakdown: Mapping[str, int]
    category: str
    complexity: str
    deliverable_count: int
    deliverables: tuple[str, ...]
    coefficients_id: str
    estimator_version: str
    model: str
    overhead: int
    base_tokens: int
    multiplier: float
    parts: tuple[Part, ...]
    document_parts: tuple[str, ...] = ()
    labels: Mapping[str, str] = NO_LABELS

    def __reduce__(self) -> tuple[Callable[..., TokenEstimate], tuple[object, ...]]:
        """Its fields, with dicts for the views of them, which cannot be pickled."""
        return _estimate, tuple([dict(f) if isinstance(f, MappingProxyType) else f for f in self])

    @property
    def recorded_breakdown(self) -> tuple[str, ...]:
        """What was added up, as the event record keeps it: `backend_new:2`, without any path.

        `backend_modified:1:0.63` has the factor of the files' size, and `test_new:1:assumed` was
        taken as new because nothing said so.
        """
        if not self.parts:
            return self.document_parts
        counts: dict[tuple[str, str], int] = {}
        for part in self.parts:
            note = "" if part.size_factor == 1 else f":{part.size_factor}"
            if part.decided_by == "assumed":
                note = ":assumed"
            counts[part.label, note] = counts.get((part.label, note), 0) + 1
        return tuple([f"{label}:{count}{note}" for (label, note), count in counts.items()])


def _estimate(*fields: object) -> TokenEstimate:
    """The estimate that was pickled or copied."""
    return TokenEstimate._make(MappingProxyType(f) if isinstance(f, dict) else f for f in fields)
