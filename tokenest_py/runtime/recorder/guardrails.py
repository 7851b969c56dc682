"""Predictions that the calls of this process leave behind, by the rules of `marts.alerts`."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from tokenest_py.runtime import stop_reasons

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LIMITS", "Guardrails"]

# The figure that a call may reach, and the share of calls that may pass it, as in
# seeds/analysis/alert_rules.csv.
LIMITS = {
    "output_over_prediction": (1.2, 0.05),
    "prediction_over_output": (4.0, 0.1),
    "smape_over": (100.0, 0.1),
}
WARN_SECONDS = 60.0


class Guardrails:
    """Counts calls and breaches. Without a lock: its owner has one."""

    def __init__(self) -> None:
        """Begin with none."""
        self.counts = {"predicted": 0} | dict.fromkeys(LIMITS, 0)
        self._warned_at = -WARN_SECONDS

    def judge(self, fields: Mapping[str, object]) -> str:
        """Count the call of an event; return a warning, at most one a minute, else nothing."""
        predicted = fields.get("predicted_output_tokens")
        actual = fields.get("actual_output_tokens")
        if type(predicted) is not int or type(actual) is not int or min(predicted, actual) <= 0:
            return ""
        if not _has_deliverables(fields):  # it is a median then: half of the calls need more
            return ""
        self.counts["predicted"] += 1
        for rule in _breached(predicted, actual, is_truncated=_is_truncated(fields)):
            self.counts[rule] += 1
        return self._warning()

    def _warning(self) -> str:
        calls = self.counts["predicted"]
        for rule, (_, share) in LIMITS.items():
            is_enough = calls * share >= 1
            if is_enough and self.counts[rule] > calls * share:
                now = monotonic()
                if now - self._warned_at < WARN_SECONDS:
                    return ""
                self._warned_at = now
                return f"{rule}: {self.counts[rule]} of {calls} predictions; see marts.advice"
        return ""


def _breached(predicted: int, actual: int, *, is_truncated: bool | None) -> list[str]:
    """Return the rules that a call breaks; a lower bound counts where it is certain."""
    figures = {"output_over_prediction": actual / predicted}
    if is_truncated is False:
        figures["prediction_over_output"] = predicted / actual
    if is_truncated is False or actual > predicted:
        figures["smape_over"] = 100 * abs(actual - predicted) / ((actual + predicted) / 2)
    return [rule for rule, figure in figures.items() if figure > LIMITS[rule][0]]


def _is_truncated(fields: Mapping[str, object]) -> bool | None:
    truncated, reason = fields.get("truncated"), fields.get("stop_reason")
    if type(truncated) is bool:
        return truncated
    return stop_reasons.is_cut_off(reason) if type(reason) is str else None


def _has_deliverables(fields: Mapping[str, object]) -> bool:
    count, named = fields.get("deliverable_count"), fields.get("deliverables")
    return (type(count) is int and count > 0) or (type(named) in (list, tuple) and bool(named))
