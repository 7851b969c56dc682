"""What calls need against their ceilings: one small drawing a group, in plain SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tokenest_py.pipeline.report.words import percent

if TYPE_CHECKING:
    from tokenest_py.pipeline.report.content import Ceiling

__all__ = ["alternative", "draw"]

WIDTH, HEIGHT, BASE, TALLEST = 340, 134, 116, 84
HALO = 'paint-order="stroke" stroke="var(--panel)" stroke-width="6"'  # a line behind words stops
WIDEST_DIGIT = 8  # at 12 pixels, in any browser's sans-serif


def draw(ceiling: Ceiling) -> str:
    """Return the distribution of demand with both ceilings; numbers alone go into the drawing."""
    bins, row = ceiling.bins, ceiling.row
    marks = [row[name] for name in ("present_tokens", "proposed_tokens") if row[name]]
    if not bins:
        return ""
    low: float = min([one["demand_bin"] for one in bins] + [_bin(tokens) for tokens in marks]) - 0.5
    high: float = (
        max([one["demand_bin"] for one in bins] + [_bin(tokens) for tokens in marks]) + 1.5
    )
    most = max(one["n_observed"] + one["n_censored"] for one in bins)

    def across(position: float) -> float:
        return 6.0 + (WIDTH - 12) * (position - low) / (high - low)

    parts = []
    for one in bins:
        left, right = across(one["demand_bin"]) + 0.5, across(one["demand_bin"] + 1) - 0.5
        top = float(BASE)
        for name, colour in (("n_observed", "blue"), ("n_censored", "red")):
            tall = TALLEST * one[name] / most
            top -= tall
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(right - left, 1):.1f}"'
                f' height="{tall:.1f}" fill="var(--{colour})" opacity=".55"/>'
            )
    for power in range(
        math.ceil(low / 2 / math.log2(10)), math.floor(high / 2 / math.log2(10)) + 1
    ):
        label = f"{10**power:,}"
        half = len(label) * WIDEST_DIGIT / 2
        x = min(max(across(2 * power * math.log2(10)), half), WIDTH - half)
        parts.append(
            f'<text x="{x:.1f}" y="{BASE + 13}" text-anchor="middle" fill="var(--muted)">'
            f"{label}</text>"
        )
    parts.append(f'<line x1="6" x2="{WIDTH - 6}" y1="{BASE}" y2="{BASE}" stroke="var(--muted)"/>')
    for name, word, colour, dash, y in (
        ("present_tokens", "now", "ink", "", 13),
        ("proposed_tokens", "proposed", "green", ' stroke-dasharray="5 3"', 27),
    ):
        if row[name]:
            x = across(2 * math.log2(row[name]))
            end = "end" if x > WIDTH / 2 else "start"
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 8}" y2="{BASE}" stroke="var(--{colour})"'
                f' stroke-width="2"{dash}/><text x="{x + (-5 if end == "end" else 5):.1f}" y="{y}"'
                f' text-anchor="{end}" fill="var(--{colour})" {HALO}>{word} {row[name]:,}</text>'
            )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12" font-family="sans-serif">'
        f"{''.join(parts)}</svg>"
    )


def alternative(ceiling: Ceiling) -> str:
    """Return the same in words, for those who do not see it."""
    row = ceiling.row
    parts = [f"{row['n']} calls of {ceiling.subject}"]
    if row["present_tokens"]:
        parts.append(f"{percent(row['truncation_rate'])} cut off at {row['present_tokens']} tokens")
    if row["proposed_tokens"] and row["truncation_then"] is not None:
        then = percent(row["truncation_then"])
        parts.append(f"{then} would be under the proposed {row['proposed_tokens']}")
    return "; ".join(parts)


def _bin(tokens: int) -> float:
    return 2 * math.log2(max(tokens, 1))
