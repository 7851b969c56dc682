"""What a table has to pass before it is published. Each gate says its figure and its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.calibration.promotion import label_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tokenest_py.pipeline.calibration.promotion import Change, Table

__all__ = ["Gate", "backtest_gates", "change_gate", "drift_gate", "source_gate"]

EXPECTED_TRUNCATIONS = 5  # fewer than these, and a back-test can say nothing about a rate
MOST_PINBALL = 1.05


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: whether it passes, its figure, its limit, and what it looked at, in words."""

    name: str
    passes: bool
    figure: str
    limit: str
    about: str


def change_gate(changes: Iterable[Change], *, most_up: float, most_down: float) -> Gate:
    """No calibrated value moves further at once than it may: a budget too low costs most."""
    limit = f"x {most_down:g} to x {most_up:g}"
    factors = [
        (change.factor, change)
        for change in changes
        if change.factor is not None and change.key["kind"] in {"budget", "multiplier"}
    ]
    if not factors:
        about = "no calibrated value that both tables have"
        return Gate("change", passes=True, figure="-", limit=limit, about=about)
    lowest = min(factors, key=lambda pair: pair[0])
    highest = max(factors, key=lambda pair: pair[0])
    passes = lowest[0] >= most_down and highest[0] <= most_up
    widest = lowest if lowest[0] < most_down else highest
    figure = f"x {lowest[0]:.2f} to x {highest[0]:.2f}"
    return Gate("change", passes, figure, limit, f"{len(factors)} values; widest: {widest[1].name}")


def source_gate(proposed: Table, exported: Sequence[dict[str, Any]]) -> Gate:
    """The calibrated values are those of the database that the other gates look at."""
    names = ("kind", "category", "complexity", "model", "input_bin", "max_truncation", "value")

    def facts(row: dict[str, Any]) -> tuple[Any, ...]:
        return (label_text(row.get("labels")), *map(row.get, names))

    there = set(map(facts, exported))
    ours = [row for row in proposed.rows.values() if "n" in row]
    here = set(map(facts, ours))
    differing = len(there ^ here)
    about = f"{len(ours)} calibrated values, and those in exports.coefficients"
    return Gate("source", not differing, f"{differing} differ", "0 differ", about)


def drift_gate(signals: Sequence[dict[str, Any]]) -> Gate:
    """No category whose truncation already asks for the table before."""
    bad = [row["category"] for row in signals if row["verdict"] == "roll_back"]
    about = ", ".join(bad) or f"{len(signals)} signals of marts.drift_signals"
    return Gate("drift", not bad, str(len(bad)), "0 categories to roll back", about)


def backtest_gates(
    scores: Sequence[dict[str, Any]], *, rate: float, proposed: str, current: str
) -> list[Gate]:
    """Enough calls, truncation not significantly above its rate, and no worse than the present."""
    ours = [row for row in scores if row["subject"] == proposed and row["max_truncation"] == rate]
    overall = next(row for row in ours if row["stratification"] == "overall")
    theirs = next(
        row
        for row in scores
        if row["subject"] == current
        and row["max_truncation"] == rate
        and row["stratification"] == "overall"
    )
    needed = round(EXPECTED_TRUNCATIONS / rate)
    enough = Gate(
        "evidence",
        overall["n"] >= needed,
        f"{overall['n']} calls",
        f"at least {needed}",
        f"calls held back; {needed} make {EXPECTED_TRUNCATIONS} truncations likely",
    )
    judged = [
        row
        for row in ours
        if row["stratification"] in {"overall", "category"}
        and row["n"] * rate >= EXPECTED_TRUNCATIONS
    ]
    worst = max(judged or [overall], key=lambda row: row["wilson_low"])
    truncation = Gate(
        "truncation",
        worst["wilson_low"] <= rate,
        f"{worst['wilson_low']:.1%} to {worst['wilson_high']:.1%}",
        f"not above {rate:.1%} for certain",
        f"{worst['category']}: {worst['n_truncated']} of {worst['n']} cut off,"
        f" {worst['n_undecidable']} undecidable",
    )
    return [enough, truncation, _pinball(overall, theirs)]


def _pinball(ours: dict[str, Any], theirs: dict[str, Any]) -> Gate:
    limit = f"at most x {MOST_PINBALL:g}"
    about = "pinball loss against the present table, on the same calls"
    if not theirs["pinball_loss"] or ours["pinball_loss"] is None:
        about = f"{about}: no observed call to compare"
        return Gate("loss", passes=False, figure="-", limit=limit, about=about)
    ratio = ours["pinball_loss"] / theirs["pinball_loss"]
    return Gate("loss", ratio <= MOST_PINBALL, f"x {ratio:.2f}", limit, about)
