"""The report on a calibration says of how many groups the calls are enough."""

from __future__ import annotations

from typing import Any

from tokenest_py.pipeline.calibration.report import Facts, _verdicts


def budget(labels: str, level: int, **fields: object) -> dict[str, Any]:
    """A row of int_budget_quantiles whose own calls show its rate."""
    return {
        "labels": labels, "cell_level": level, "level_used": level, "max_truncation": 0.02,
        "n_observed": 300, "is_cold_start": False, "is_identified": True, "budget_tokens": 812,
        "estimate_bin": None, "model": None, "input_bin": None,
    } | fields  # fmt: skip


def test_a_group_without_a_complexity_is_a_group() -> None:
    """Calls that say their category alone; of one model, which is no group."""
    chat = '{"category":"chat"}'
    rows = [budget("{}", 0), budget(chat, 1), budget(chat, 4, model="m")]
    facts = Facts(as_of=None, demand=[], multipliers=[], budgets=rows, drift=[], costs=[])
    [said] = _verdicts(facts)
    assert said.endswith(" 1 of 1 groups by category have enough calls of their own.")
