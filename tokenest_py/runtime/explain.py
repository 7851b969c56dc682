"""How the numbers of an estimate and of a budget came about, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenest_py.errors import UsageError
from tokenest_py.runtime.budget import FLOOR, OVER_WINDOW, Budget, buffer
from tokenest_py.runtime.quantiles import SO_FAR
from tokenest_py.runtime.results import TokenEstimate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenest_py.runtime.results import Part
    from tokenest_py.runtime.table import Coefficients

_DECIDED = {
    "action": "as its text says",
    "workspace": "as the workspace shows",
    "assumed": "as assumed, since neither its text nor a workspace says so",
}


def explain(coefficients: Coefficients, estimate: TokenEstimate, budget: Budget | None) -> str:
    """The steps from the deliverables to the estimate and the ceiling, one a line."""
    if not isinstance(estimate, TokenEstimate):
        raise UsageError("estimate", estimate, "what estimate() returned for the call")
    if not isinstance(budget, (Budget, type(None))):
        raise UsageError("budget", budget, "what budget() returned for the call")
    lines = [*_estimate(coefficients, estimate)]
    if budget is not None:
        lines += _budget(coefficients, estimate, budget)
    return "\n".join(lines)


def _estimate(coefficients: Coefficients, estimate: TokenEstimate) -> Iterator[str]:
    margin = coefficients.constants["safety_margin"]
    yield (
        f"{estimate.estimated_tokens} output tokens, between {estimate.low} and {estimate.high}, "
        f"confidence {estimate.confidence:.2f}"
    )
    cell = f"{estimate.category or 'no category'}/{estimate.complexity or 'no complexity'}"
    if estimate.model == "no_deliverables":
        what = "median of the calls nearest to"
        if not coefficients.medians:
            what = "floor for the complexity of"
        yield f"  no deliverables: the {what} {cell}"
    elif estimate.parts:
        known = (estimate.category, estimate.complexity) in coefficients.overheads
        yield f"  overhead {estimate.overhead} for {cell}{'' if known else ' (the default)'}"
        yield from map(_part, estimate.parts)
    else:
        yield f"  documents alone: the model {estimate.model}"
        yield from (f"  {name} {tokens}" for name, tokens in estimate.breakdown.items())
    if estimate.model != "no_deliverables":
        total = estimate.overhead + sum(estimate.breakdown.values())
        yield f"  sum {total}, times the safety margin {margin:g}: {estimate.base_tokens}"
    if estimate.multiplier != 1:
        yield f"  times the calibrated {estimate.multiplier:g}: {estimate.estimated_tokens}"
    yield f"  coefficients {estimate.coefficients_id}, estimator {estimate.estimator_version}"


def _rate(rate: float) -> str:
    return f"{100 * rate:g} %"


def _part(part: Part) -> str:
    item = part.deliverable
    size = f", times {part.size_factor:g} for its size" if part.size_factor != 1 else ""
    why = _DECIDED[part.decided_by]
    return f"  {part.tokens} for {item.path}: {part.state} {item.name}, {why}{size}"


def _from_the_table(budget: Budget) -> str:
    """What the table itself says, where nothing but what was seen since has changed it."""
    if budget.is_retry or budget.clamped_by:
        return ""
    tokens = (budget.max_tokens - budget.reasoning_tokens) / budget.seen_factor
    return f"{tokens:.0f} from the table, "


def _budget(coefficients: Coefficients, estimate: TokenEstimate, budget: Budget) -> Iterator[str]:
    source = "what new ones needed so far" if budget.source == SO_FAR else f"the {budget.source}"
    if budget.is_retry:
        yield f"max_tokens {budget.max_tokens}, raised once after an answer that was cut off"
        yield f"  the ceiling before came from {source}"
    else:
        yield f"max_tokens {budget.max_tokens} from {source}"
    if budget.source == FLOOR:
        times = f"times {buffer(coefficients, estimate):g}"
        yield f"  the larger of the floor and {estimate.estimated_tokens} {times}"
        if coefficients.n_known:
            yield f"  too few calls are known for a rate of {_rate(budget.max_truncation)}"
    elif budget.quantile_rate is not None:
        kind = "identified" if budget.identified else "at least this much"
        rate = _rate(budget.quantile_rate)
        yield f"  {rate} truncation, from {budget.n} calls ({kind})"
        if budget.quantile_rate != budget.max_truncation:
            asked = _rate(budget.max_truncation)
            yield f"  the table holds no rate of {asked}: its {rate} answers"
        if budget.seen_factor != 1:
            times = f"times {budget.seen_factor:.3f} from what was seen since"
            yield f"  {_from_the_table(budget)}{times}"
    yield from _limits(budget)


def _limits(budget: Budget) -> Iterator[str]:
    if budget.reasoning_tokens:
        yield f"  {budget.reasoning_tokens} of it for reasoning, {budget.visible_tokens} visible"
    if budget.is_below_estimate:
        yield f"  below the low end of the estimate, {budget.estimate_low}"
    if budget.clamped_by == OVER_WINDOW:
        yield "  the model does not take so large an input, or has no room left for an answer"
    elif budget.clamped_by:
        yield f"  lowered by {budget.clamped_by}, which allows {budget.limit}"
