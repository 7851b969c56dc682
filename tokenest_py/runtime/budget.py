"""Sizes max_tokens: from the quantiles of what such calls needed, else from floors and buffers.

    quantile    the tokens that all but `max_truncation` of such calls stay under
    otherwise   max(floor, int(estimate * buffer))

and then within what the caller, the model and its context window allow. An unused token of the
ceiling is not billed; it is reserved.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tokenest_py.errors import UsageError
from tokenest_py.runtime.arguments import check_count, check_number
from tokenest_py.runtime.providers import PARAMETERS
from tokenest_py.runtime.quantiles import MOST_TOKENS, find
from tokenest_py.runtime.results import TokenEstimate
from tokenest_py.runtime.stop_reasons import spelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenest_py.runtime.limits import Limits
    from tokenest_py.runtime.memory import Memory
    from tokenest_py.runtime.quantiles import Answer
    from tokenest_py.runtime.table import Coefficients
    from tokenest_py.runtime.table.table import Cell

FLOOR = "cold-start floor"
CLAMP = "explicit clamp"
CONTROL = "control call"
MAX_FOUND = 4096  # look-ups that a table keeps
OVER_WINDOW = "input_over_window"


class Budget(NamedTuple):
    """A ceiling for one call, and where it comes from. All counts are tokens.

    Attributes:
        max_tokens: What to send as the ceiling: visible output and reasoning together.
        source: "quantile cell" (the very cell asked for), "parent" (a wider one), "cold-start
            floor" (no quantile: floor and buffer), "so far" (something new: what new ones needed so
            far), "explicit clamp" (the caller's own limit) or
            "control call" (the most that could be asked for, on purpose).
        n: Calls that the quantile rests on; 0 for a floor.
        identified: Whether the data show the quantile and no limit has lowered it.
        max_truncation: The truncation rate that was asked for.
        quantile_rate: The rate that the quantile is for; None for a floor.
        reasoning_tokens: The part of max_tokens kept apart for reasoning.
        clamped_by: The limit that lowered the number: "", "max_tokens", "max_output",
            "context_window" or "max_budget"; "input_over_window" lowers nothing: the model does
            not take so large an input, or has no room left for an answer.
        limit: The most that could be asked for in this call.
        is_retry: Whether this is the one larger ceiling after a truncation.
        coefficients_id: The table that the number comes from.
        is_control: Whether this is a control call; record it as such.
        cell: The values of the table's levels that were asked for.
        estimate_low: The low end of the estimate that the call has, in tokens.
        seen_factor: What was seen since the table was made moved the quantile by this factor.
    """

    max_tokens: int
    source: str
    n: int
    identified: bool
    max_truncation: float
    quantile_rate: float | None
    reasoning_tokens: int
    clamped_by: str
    limit: int
    is_retry: bool
    coefficients_id: str
    is_control: bool = False
    cell: Cell = ()
    estimate_low: int = 0
    seen_factor: float = 1.0

    @property
    def is_below_estimate(self) -> bool:
        """Whether the visible part is less than the low end of the estimate."""
        return self.visible_tokens < self.estimate_low

    @property
    def visible_tokens(self) -> int:
        """What is left for visible output beside the reasoning."""
        return max(self.max_tokens - self.reasoning_tokens, 0)

    def request_kwargs(self, provider: str) -> dict[str, int]:
        """The ceiling under the name that the provider's API gives it.

        Returns one entry: max_tokens for anthropic, max_completion_tokens for openai (chat),
        max_output_tokens for openai_responses, maxOutputTokens for gemini (generationConfig).
        Raises UsageError for an unknown provider.
        """
        said = provider.lower().replace("-", "_") if isinstance(provider, str) else ""
        name = PARAMETERS.get(said)
        if name is None:
            raise UsageError("provider", provider, tuple(PARAMETERS))
        return {name: self.max_tokens}


class Escalation(NamedTuple):
    """What to do after an answer was cut off: the next budget, or None, and the reason in words."""

    budget: Budget | None
    reason: str


def size(
    coefficients: Coefficients,
    limits: Limits,
    estimate: TokenEstimate,
    *,
    model: str | None,
    input_tokens: int | None,
    max_truncation: float,
    max_tokens: int | None,
    reasoning_tokens: int,
    control_share: float = 0.0,
    memory: Memory | None = None,
    run_id: str | None = None,
) -> Budget:
    """The budget of one call; see `Estimator.budget`."""
    if not isinstance(estimate, TokenEstimate):
        raise UsageError("estimate", estimate, "what estimate() returned for the call")
    check_call(model, input_tokens)
    check_asked(max_truncation, max_tokens, reasoning_tokens, control_share)
    if run_id is not None:
        try:
            hash(run_id)
        except TypeError:
            raise UsageError("run_id", run_id, "a text") from None
    cell, found = _look_up(
        coefficients, estimate, model, input_tokens, max_truncation, memory, run_id
    )
    least = 0
    # a rate that too few calls are known for in all: the strictest one answers, and the floor
    if found is None or (
        found.rate > max_truncation and coefficients.n_known < 1 / max_truncation - 1
    ):
        least = floor(coefficients, estimate)
    if found is None or found.tokens < least:
        source, rate, wanted, n, identified, seen = FLOOR, None, least, 0, False, 1.0
    else:
        source, rate, wanted, n, identified, seen = found
    wanted = max(wanted, int(coefficients.constants["min_budget"])) + reasoning_tokens
    limit, limited_by = _limit(coefficients, limits, model, input_tokens)
    tokens, clamped_by = (limit, limited_by) if wanted > limit else (wanted, "")
    if limited_by == OVER_WINDOW:
        clamped_by = OVER_WINDOW
    if max_tokens is not None and tokens > max_tokens:
        source, tokens, clamped_by = CLAMP, max_tokens, "max_tokens"
    limit = limit if max_tokens is None else min(limit, max_tokens)
    is_retry = False
    if control_share and _drawn(control_share):
        source, tokens, n, identified, rate, clamped_by = CONTROL, limit, 0, False, None, ""
    return Budget(
        tokens,
        source,
        n,
        identified and not clamped_by,
        max_truncation,
        rate,
        min(reasoning_tokens, tokens),
        clamped_by,
        limit,
        is_retry,
        coefficients.coefficients_id,
        source == CONTROL,
        cell,
        estimate.low,
        seen,
    )


def check_call(model: str | None, input_tokens: int | None) -> None:
    """Raises UsageError for what is true of no call, whatever its type."""
    if input_tokens is not None:
        check_count("input_tokens", input_tokens, 0)
    if not isinstance(model, (str, type(None))):
        raise UsageError("model", model, "the name of a model")


def check_asked(
    max_truncation: float,
    max_tokens: int | None,
    reasoning_tokens: int = 0,
    control_share: float = 0.0,
) -> None:
    """Raises UsageError for what no call can be asked for, whatever its type."""
    if not (isinstance(max_truncation, float) and 0 < max_truncation < 1):
        raise UsageError("max_truncation", max_truncation, "a rate between 0 and 1")
    if max_tokens is not None:
        check_count("max_tokens", max_tokens, 1)
    check_count("reasoning_tokens", reasoning_tokens, 0)
    if control_share != 0:  # as it is in nearly every call
        check_number("control_share", control_share, 1)


def _look_up(
    coefficients: Coefficients,
    estimate: TokenEstimate,
    model: str | None,
    input_tokens: int | None,
    max_truncation: float,
    memory: Memory | None,
    run_id: str | None,
) -> tuple[Cell, Answer | None]:
    """The cell of a call, and what its quantile says with what was seen since."""
    key = (
        estimate.category,
        estimate.complexity,
        tuple(estimate.labels.items()) if estimate.labels else None,
        model,
        input_bin(input_tokens) if input_tokens and input_tokens > 0 else None,
        estimate_bin(estimate.base_tokens) if estimate.deliverable_count else None,
        max_truncation,
    )
    if key in coefficients.found:
        cell, quantile = coefficients.found[key]
    else:
        cell = cell_of(
            coefficients, estimate.category, estimate.complexity, estimate.labels, *key[3:6]
        )
        quantile = find(coefficients, cell, max_truncation)
        if len(coefficients.found) >= MAX_FOUND:
            coefficients.found.clear()
        coefficients.found[key] = cell, quantile
    if quantile is None or memory is None:
        return cell, None if quantile is None else quantile.answer
    if memory.table != coefficients.coefficients_id:
        memory.begin(coefficients)
    return cell, quantile.moved(coefficients, memory, run_id)


def _drawn(share: float) -> bool:
    from random import random  # loads OpenSSL, so only where control calls are asked for

    return random() < share


def floor(coefficients: Coefficients, estimate: TokenEstimate) -> int:
    """The budget without quantiles, in tokens: max(floor, int(estimate * buffer)).

    The floor is that of the category and the complexity, else of the complexity, else of all.
    A multiplier may raise but never lower the estimate here: it aims at the median call, and half
    of all calls need more than the median.
    """
    floors = coefficients.floors
    category = coefficients.category(estimate.category)
    base = floors.get((category, estimate.complexity))
    if base is None:
        base = floors.get(("", estimate.complexity))
    if base is None:
        base = floors["", ""]
    most = max(estimate.estimated_tokens, estimate.base_tokens)
    return max(base, int(most * buffer(coefficients, estimate)))


def buffer(coefficients: Coefficients, estimate: TokenEstimate) -> float:
    """The factor on an estimate: the largest one whose condition holds."""
    category = coefficients.category(estimate.category)
    factor = 1.0
    for condition, of_category, of_complexity, threshold, value in coefficients.buffers.values():
        if (
            condition == "always"
            or (condition == "confidence_below" and estimate.confidence < threshold)
            or (condition == "deliverables_at_least" and estimate.deliverable_count >= threshold)
            or (
                condition == "category"
                and category == of_category
                and of_complexity in ("", estimate.complexity)
            )
        ):
            factor = max(factor, value)
    return factor


def escalate(
    coefficients: Coefficients, budget: Budget, stop_reason: str | None, output_tokens: int | None
) -> Escalation:
    """The one larger ceiling after a truncation; see `Estimator.after_truncation`."""
    if not isinstance(budget, Budget):
        raise UsageError("budget", budget, "what budget() returned for the call")
    if not isinstance(stop_reason, (str, type(None))):
        raise UsageError("stop_reason", stop_reason, "the provider's word for it, or nothing")
    said = spelled(stop_reason or "")
    stop_class = coefficients.stop_classes.get(said, "unknown")
    reached = output_tokens is not None and output_tokens >= budget.max_tokens
    base = max(budget.max_tokens, min(output_tokens or 0, MOST_TOKENS))
    tokens = min(int(base * coefficients.constants["retry_factor"]), budget.limit)
    if stop_class == "context_window":
        reason = (
            f"{said}: the context window was full; a larger ceiling does not help, less input does"
        )
    elif stop_class == "truncated" and is_far_below(
        coefficients, output_tokens or 0, budget.max_tokens
    ):
        reason = (
            f"{said}: {output_tokens} tokens are far below the ceiling of {budget.max_tokens}, so"
            " that the context window was full; a larger ceiling does not help, less input does"
        )
    elif stop_class != "truncated" and not reached:
        reason = (
            f"the stop reason {stop_reason!r} ({stop_class}) does not say that output was cut off"
        )
    elif budget.is_retry:
        reason = "this was the retry already; it is not raised twice"
    elif tokens <= budget.max_tokens:
        reason = f"{budget.max_tokens} is the most that this call may ask for"
    else:
        raised = budget._replace(max_tokens=tokens, identified=False, is_retry=True)
        return Escalation(raised, f"raised from {budget.max_tokens} to {tokens}")
    return Escalation(None, reason)


def is_far_below(coefficients: Coefficients, output_tokens: int, ceiling: int) -> bool:
    """Whether a cut-off answer of so many tokens was cut off by something else than its ceiling."""
    share = coefficients.constants.get("window_share", 0)  # an older table has none
    return 0 < output_tokens < ceiling * share


def cell_of(
    coefficients: Coefficients,
    category: str,
    complexity: str,
    labels: Mapping[str, str],
    model: str | None,
    of_input: int | None,
    of_estimate: str | None,
) -> Cell:
    """The narrowest cell that the call lies in."""
    return coefficients.cell(
        {
            **labels,
            "category": coefficients.category(category) or None,
            "complexity": complexity or None,
            "model": model or None,
            "estimate_bin": of_estimate,
            "input_bin": of_input,
        }
    )


def input_bin(input_tokens: int) -> int:
    """The bin of an input size: four to each doubling, floor(4 * log2(tokens))."""
    return math.floor(4 * math.log2(input_tokens))


def estimate_bin(base_tokens: int) -> str | None:
    """The bin of what the deliverables come to: two to each doubling, floor(2 * log2(tokens))."""
    return str(math.floor(2 * math.log2(base_tokens))) if base_tokens > 0 else None


def _limit(
    coefficients: Coefficients, known: Limits, model: str | None, input_tokens: int | None
) -> tuple[int, str]:
    """The most that a call may ask for, and what says so.

    An input that leaves no room for the smallest budget is said, and clamps nothing: a ceiling of
    a few tokens helps nobody.
    """
    least = int(coefficients.constants["min_budget"])
    limit, limited_by = int(coefficients.constants["max_budget"]), "max_budget"
    if model:
        most, window, max_input = known.find(model, coefficients.answer_lengths.get(model, 0))
        used = input_tokens or 0
        if most is not None:
            limit, limited_by = most, "max_output"
        if used > (max_input or used) or (window is not None and window - used < least):
            limited_by = OVER_WINDOW
        elif window is not None and window - used < limit:
            limit, limited_by = window - used, "context_window"
    return limit, limited_by
