"""The two outputs of a calibration: a report for people, and a patch for machines.

The patch lists every row that differs between the present table and the proposed one, each with
both values, its evidence and its gates. Applied to the present table it gives the proposed one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import CoefficientsError
from tokenest_py.pipeline.calibration.tables import label_text
from tokenest_py.pipeline.report.words import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tokenest_py.pipeline.calibration.tables import Change, Table

__all__ = ["Facts", "apply_patch", "as_markdown", "as_patch", "report_name"]

FORMAT_VERSION = 1

NEXT = (
    "Nothing of this is in use until someone promotes it: `tokenest promote` back-tests the"
    " proposed table, runs the gates and publishes it; `tokenest rollback` takes it back."
)

STATES = ("n_calls", "n_observed", "n_censored", "n_excluded")
BUDGET_EVIDENCE = (
    "n", "n_observed", "n_censored", "own_quantile_tokens", "is_own_quantile_identified",
    "own_weight", "is_identified",
)  # fmt: skip
MULTIPLIER_EVIDENCE = (
    "n", "interval_low", "interval_high", "confidence", "own_weight", "passes_min_samples",
    "passes_confidence", "gates_contradict", "vetoes", "action", "gate_note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """Rows of the marts that the outputs are made from, as dictionaries."""

    as_of: str | None
    demand: Sequence[Mapping[str, Any]]
    multipliers: Sequence[Mapping[str, Any]]
    budgets: Sequence[Mapping[str, Any]]
    drift: Sequence[Mapping[str, Any]]
    costs: Sequence[Mapping[str, Any]]

    def calls(self, state: str) -> int:
        """How many calls are in a demand state."""
        return sum(row[f"n_{state}"] for row in self.demand if row["cell_level"] == 0)

    def labels(self) -> list[str]:
        """The names that cells are told apart by, the widest first."""
        return list(dict.fromkeys(n for row in self.budgets for n in json.loads(row["labels"])))

    def roots(self) -> list[Mapping[str, Any]]:
        """The rows of all calls together, one a rate, the loosest first."""
        found = [row for row in self.budgets if row["cell_level"] == 0]
        return sorted(found, key=lambda row: -row["max_truncation"])


def as_patch(
    current: Table, proposed: Table, changes: Sequence[Change], facts: Facts
) -> dict[str, Any]:
    """The patch as an object that JSON can hold."""
    budgets = {
        (label_text(row["labels"]), row["model"], row["input_bin"], row["max_truncation"]): row
        for row in facts.budgets
    }  # fmt: skip
    multipliers = {
        (row["category"], row["complexity"]): row
        for row in facts.multipliers
        if row["is_exported"] and row["max_truncation"] is None
    }
    return {
        "format_version": FORMAT_VERSION,
        "from": current.coefficients_id,
        "to": proposed.coefficients_id,
        "as_of": facts.as_of,
        "calls": {state: facts.calls(state) for state in ("observed", "censored", "excluded")},
        "changes": [
            {
                "action": change.action,
                "key": change.key,
                "current": change.current,
                "proposed": change.proposed,
                "evidence": _evidence(change, budgets, multipliers),
            }
            for change in changes
        ],
        "groups": [dict(row) for row in facts.multipliers if row["max_truncation"] is None],
    }


def report_name(as_of: str | None, coefficients_id: str) -> str:
    """What a report is kept as: the time of its newest call, and the table that it proposes.

    The same calls give the same name, so a report that is made twice is kept once.
    """
    date = "".join(filter(str.isalnum, as_of or "no-calls"))
    return f"{date}-{coefficients_id}"


def apply_patch(rows: Sequence[dict[str, Any]], patch: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows with a patch applied; raises CoefficientsError where it was made for other rows."""
    found = list(rows)
    for number, change in enumerate(patch["changes"], 1):
        current, proposed = change["current"], change["proposed"]
        if current is not None:
            if current not in found:
                reason = "the present table does not have this row; calibrate again"
                raise CoefficientsError("patch", f"change {number}: {reason}")
            found.remove(current)
        if proposed is not None:
            found.append(proposed)
    return found


def as_markdown(current: Table, proposed: Table, changes: Sequence[Change], facts: Facts) -> str:
    """The report."""
    observed, censored = facts.calls("observed"), facts.calls("censored")
    summary = (
        f"Calls up to {facts.as_of or 'nowhere: there is none'}. Table {current.coefficients_id}"
        f" is in use, {proposed.coefficients_id} is proposed:"
        f" {count(len(changes), 'row differs', 'rows differ')}."
    )
    counts = (
        f"{observed + censored} calls: {observed} whose demand is known, and {censored} that were"
        f" cut off, so that it is at least their ceiling. {facts.calls('excluded')} more say"
        " nothing (below)."
    )
    lines = [
        "# Calibration",
        "",
        summary,
        "",
        "## What these calls can say",
        "",
        counts,
        "",
        *_verdicts(facts),
        "",
        "## Multipliers of the estimate",
        "",
        *_multipliers(facts),
        "",
        "## Budgets",
        "",
        *_budgets(facts),
        "",
        "## Calls left out",
        "",
        *_excluded(facts),
        "",
        "## Drift",
        "",
        *_table(facts.drift, ("category", "signal_name", "n_now", "figure", "threshold", "state")),
        "",
        "## Which rate is cheapest",
        "",
        *_table(
            [row for row in facts.costs if row["is_cheapest"] or row["is_current"]],
            (
                "top_label",
                "max_truncation",
                "n",
                "budget_tokens",
                "cost_ratio",
                "is_cheapest",
                "is_current",
            ),
        ),
        "",
        NEXT,
    ]
    return "\n".join(lines) + "\n"


def _evidence(
    change: Change,
    budgets: Mapping[tuple[Any, ...], Mapping[str, Any]],
    multipliers: Mapping[tuple[Any, ...], Mapping[str, Any]],
) -> dict[str, Any] | None:
    key = change.key
    if key["kind"] == "budget":
        names = ("labels", "model", "input_bin", "max_truncation")
        row = budgets.get(tuple(map(key.get, names)))
        return None if row is None else {name: row[name] for name in BUDGET_EVIDENCE}
    if key["kind"].startswith("multiplier"):
        row = multipliers.get((key.get("category"), key.get("complexity")))
        return None if row is None else {name: row[name] for name in MULTIPLIER_EVIDENCE}
    return None


def _verdicts(facts: Facts) -> list[str]:
    lines = []
    for row in facts.roots():
        rate, needed = row["max_truncation"], round(1 / row["max_truncation"]) - 1
        has = f"- {rate:.0%} truncation: {row['n_observed']} observed calls, {needed} are needed"
        if row["is_cold_start"]:
            lines.append(f"{has}. Too few: the floors stay.")
            continue
        own = [
            budget
            for budget in facts.budgets
            if budget["labels"] != "{}" and budget["max_truncation"] == rate
            if all(budget[name] is None for name in ("estimate_bin", "model", "input_bin"))
        ]
        sure = sum(
            budget["level_used"] == budget["cell_level"] and budget["is_identified"]
            for budget in own
        )
        known = (
            f"the data show the quantile, {row['budget_tokens']} tokens for all calls together"
            if row["is_identified"]
            else f"the quantile lies beyond what was seen: at least {row['own_quantile_tokens']}"
            f" tokens, and how much more nobody knows; the budget of {row['budget_tokens']} is a"
            " margin above it, no estimate"
        )
        groups = (
            f" {sure} of {len(own)} groups by {' and '.join(facts.labels())} have enough calls of"
            " their own."
        )
        lines.append(f"{has}; {known}.{groups if own else ''}")
    return lines or ["- Nothing: no call can be used."]


def _multipliers(facts: Facts) -> list[str]:
    shown = [
        {
            "category": row["category"],
            "complexity": row["complexity"],
            "method": row["method"],
            "against": row["estimator_version"],
            "n": row["n"],
            "multiplier": row["multiplier"],
            "interval": _interval(row["interval_low"], row["interval_high"]),
            "confidence": row["confidence"],
            "own weight": row["own_weight"],
            "action": row["action"],
            "says": row["gate_note"],
            "exported": row["is_exported"],
        }
        for row in facts.multipliers
        if row["max_truncation"] is None
    ]
    exported = sum(row["exported"] for row in shown)
    return [
        f"{exported} proposed. An interval is 95 %; - where so few calls give none.",
        "",
        *_table(shown, tuple(shown[0]) if shown else ()),
    ]


def _budgets(facts: Facts) -> list[str]:
    names = facts.labels()
    cells: dict[tuple[str, ...], dict[str, Any]] = {}
    rates = [row["max_truncation"] for row in facts.roots()]
    for row in facts.budgets:
        if row["model"] is not None or row["input_bin"] is not None:
            continue
        labels = json.loads(row["labels"])
        key = tuple([labels.get(name, "all") for name in names])
        cell = cells.setdefault(key, {**dict(zip(names, key, strict=True)), "n": row["n"]})
        tokens = row["budget_tokens"]
        mark = "" if row["is_identified"] else "at least "
        cell[f"{row['max_truncation']:.0%}"] = "floor" if tokens is None else f"{mark}{tokens}"
    columns = (*names, "n", *(f"{rate:.0%}" for rate in rates))
    return _table([cells[key] for key in sorted(cells)], columns)


def _excluded(facts: Facts) -> list[str]:
    reasons = [
        name for row in facts.demand[:1] for name in row
        if name not in STATES and name.startswith("n_") and row[name]
    ]  # fmt: skip
    shown = [
        {"calls of": " / ".join(json.loads(row["labels"]).values()) or "all", **row}
        for row in facts.demand
        if row["cell_level"] <= 1 and row["n_excluded"]
    ]
    return _table(shown, ("calls of", "n_calls", *reasons))


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    if not rows:
        return ["None."]
    return [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(_markdown(row.get(name)) for name in columns) + " |" for row in rows),
    ]


def _interval(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "-"
    return f"{_markdown(low)} to {_markdown(high)}"


def _markdown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    text = str(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return " ".join(text.split())
