"""Puts an estimate together: from deliverables, or from the median of such calls."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from tokenest_py.runtime.budget import cell_of, input_bin
from tokenest_py.runtime.quantiles import Median, median
from tokenest_py.runtime.results import TokenEstimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenest_py.runtime.memory import Memory
    from tokenest_py.runtime.results import Part
    from tokenest_py.runtime.rules import Cell, Reading, Rules


def finished(
    rules: Rules,
    cell: Cell,
    model: str,
    overhead: int,
    breakdown: dict[str, int],
    confidence: float,
    readings: list[Reading],
    parts: tuple[Part, ...],
    document_parts: tuple[str, ...] = (),
) -> TokenEstimate:
    """Add margin and multiplier to the sum of overhead and breakdown."""
    table = rules.coefficients
    base = int((overhead + sum(breakdown.values())) * table.constants["safety_margin"])
    tokens = int(base * cell.multiplier)
    spread = int(tokens * table.constants["default_interval"])
    return TokenEstimate(
        tokens,
        tokens - spread if cell.low is None else int(base * cell.low),
        tokens + spread if cell.high is None else int(base * cell.high),
        min(confidence, 1.0),
        MappingProxyType(breakdown),
        cell.category,
        cell.complexity,
        len(readings),
        tuple([reading.deliverable.text for reading in readings]),
        table.coefficients_id,
        rules.version,
        model,
        overhead,
        base,
        cell.multiplier,
        parts,
        document_parts,
    )


def without_deliverables(
    rules: Rules,
    memory: Memory | None,
    category: str,
    complexity: str,
    labels: Mapping[str, str],
    model: str | None,
    input_tokens: int | None,
) -> TokenEstimate:
    """The median of such calls; before any was seen the floor of the complexity."""
    cell = rules.cell(category, complexity)
    table = rules.coefficients
    found = median(
        table,
        cell_of(
            table,
            cell.category,
            cell.complexity,
            labels,
            model,
            input_bin(input_tokens) if input_tokens and input_tokens > 0 else None,
            None,
        ),
        memory,
    )
    if found is None:
        tokens = table.floors.get(("", cell.complexity), table.floors["", ""])
        spread = int(tokens * table.constants["default_interval"])
        confidence = table.constants["confidence_no_deliverables"]
        found = Median(tokens - spread, tokens, tokens + spread, confidence)
    low, tokens, high, confidence = found
    return TokenEstimate(
        tokens,
        low,
        high,
        confidence,
        MappingProxyType({}),
        cell.category,
        cell.complexity,
        0,
        (),
        table.coefficients_id,
        rules.version,
        "no_deliverables",
        0,
        tokens,
        1.0,
        (),
    )
