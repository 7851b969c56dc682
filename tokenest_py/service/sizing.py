"""`POST /v1/estimate` and `/v1/budget`: what the Estimator answers, with what it has seen."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from tokenest_py.errors import UsageError
from tokenest_py.runtime.budget import CLAMP
from tokenest_py.runtime.estimator import Estimator
from tokenest_py.runtime.labels import MAX_LABELS, NAME, is_value
from tokenest_py.runtime.providers import sized_fields
from tokenest_py.runtime.providers.members import is_partial
from tokenest_py.runtime.recorder.record import MAX_TEXT, MAX_WHOLE_NUMBER
from tokenest_py.service.bounds import MAX_RECORDS, RELOAD_SECONDS
from tokenest_py.service.requests import RefusedError, answer, check_names, parsed_object

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from tokenest_py.runtime.budget import Budget
    from tokenest_py.runtime.results import TokenEstimate

__all__ = [
    "BUDGET",
    "ESTIMATE",
    "NAMES",
    "OF_BUDGET",
    "OF_ESTIMATE",
    "Sizing",
    "post_budget",
    "post_estimate",
]


# member of a question: the JSON types that it may have, and what it is
ESTIMATE = {
    "deliverables": (("string", "array", "object"), "Paths, phrases, or objects of these."),
    "category": (("string",), "What kind of call it is."),
    "complexity": (("string",), "low, medium, high or maintenance."),
    "labels": (("object",), "What else the call is grouped by: names with texts."),
    "task": (
        ("string",),
        "Text of the task, in which document models look for features.",
    ),
    "scope_paths": (("array",), "What the call is given to read; its number counts."),
    "assume": (("string",), "new or modified: what a deliverable is that does not say it."),
    "model": (("string",), "The model, as it is asked for."),
    "input_tokens": (("integer",), "Tokens of the prompt."),
}
BUDGET = ESTIMATE | {
    "max_truncation": (("number",), "Accepted share of answers that are cut off; 0.02."),
    "max_tokens": (("integer",), "The caller's own limit."),
    "reasoning_tokens": (("integer",), "Headroom for reasoning; 0."),
    "control_share": (("number",), "Share of calls that get the most there is; 0."),
    "run_id": (("string",), "The run, whose earlier calls count."),
    "provider": (("string",), "Whose name for the ceiling `request` has."),
}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "array": (list,),
    "object": (dict,),
    "integer": (int,),
    "number": (int, float),
}
NAMES = frozenset({"category", "complexity", "model", "run_id"})  # no longer than in a record
# what a question or a record can be wrong by that the estimator has no words for
FAULTS = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)
OF_ESTIMATE = (
    "estimated_tokens", "low", "high", "confidence", "category", "complexity",
    "deliverable_count", "model", "overhead", "base_tokens", "multiplier", "coefficients_id",
    "estimator_version",
)  # fmt: skip
OF_BUDGET = (
    "max_tokens", "source", "n", "identified", "max_truncation", "quantile_rate",
    "reasoning_tokens", "clamped_by", "limit", "is_control", "seen_factor", "coefficients_id",
)  # fmt: skip


class Sizing:
    """One estimator for all who ask, with one memory."""

    def __init__(self, table: Path | None) -> None:
        """Load the table; no deliverable is looked up in this machine's files."""
        self.estimator = Estimator.load(table, reload_after=RELOAD_SECONDS)
        self._observed: OrderedDict[str, None] = OrderedDict()  # the newest ids of events

    def fault(self) -> str:
        """Return what is wrong with the table that was asked for; empty where it is in use."""
        fault = self.estimator.status().fault
        return fault and f"{fault}; the packaged table is in use"

    def estimate(self, question: Mapping[str, Any]) -> TokenEstimate:
        """Return the prediction; raises UsageError."""
        asked = {name: question[name] for name in ESTIMATE if name in question}
        return self.estimator.estimate(**asked)

    def budget(self, question: Mapping[str, Any], estimate: TokenEstimate) -> Budget:
        """Return the ceiling; raises UsageError."""
        shared = ("model", "input_tokens")
        own = set(BUDGET) - set(ESTIMATE) - {"provider", "max_truncation"}
        asked = {name: question[name] for name in (*shared, *own) if name in question}
        return self.estimator.budget(
            estimate, max_truncation=float(question.get("max_truncation", 0.02)), **asked
        )

    def observe(self, record: Mapping[str, Any]) -> None:
        """Take up what became of a call, from its event record, which is in the file already.

        The rate is judged where the ceiling was sent as the table in use had it. A record that is
        sent again is the same call.
        """
        if record["event_id"] in self._observed or is_partial(record):
            return
        self._observed[record["event_id"]] = None
        if len(self._observed) > 2 * MAX_RECORDS:
            self._observed.popitem(last=False)
        question = {name: record[name] for name in _REMEMBERED if record.get(name) is not None}
        question["labels"] = _labels(record.get("labels"))
        try:
            budget = self.budget(question, self.estimate(question))
        except FAULTS:
            return  # landing reads it all the same
        sent, source = record.get("actual_max_tokens"), record.get("budget_source")
        is_ours = (
            isinstance(source, str)
            and sent == record.get("selected_budget")
            and record.get("coefficients_id") == budget.coefficients_id
        )
        reason, run = record.get("stop_reason"), record.get("run_id")
        self.estimator.observe(
            budget._replace(
                max_tokens=sent if isinstance(sent, int) else budget.limit,
                source=str(source) if is_ours else CLAMP,
                is_retry=isinstance(record.get("attempt"), int) and record["attempt"] > 1,
            ),
            output_tokens=record["actual_output_tokens"],
            stop_reason=None if reason is None else str(reason),
            run_id=None if run is None else str(run),
        )


_REMEMBERED = (
    "deliverables", "category", "complexity", "model", "input_tokens", "max_truncation", "run_id",
)  # fmt: skip


async def post_estimate(request: Request) -> Response:
    """Answer with the prediction for one call."""
    question = checked(await parsed_object(request), ESTIMATE)
    return await run_in_threadpool(_answered, request.app.state.sizing, question, sized=False)


async def post_budget(request: Request) -> Response:
    """Answer with the ceiling for one call, and with the members of its event record so far."""
    question = checked(await parsed_object(request), BUDGET)
    return await run_in_threadpool(_answered, request.app.state.sizing, question, sized=True)


def checked(
    question: dict[str, Any], members: Mapping[str, tuple[tuple[str, ...], str]]
) -> dict[str, Any]:
    """Return the members that are not null.

    Raises:
        RefusedError: A member is unknown, or of a type or a length that it may not have.
    """
    check_names(question, members)
    for name, value in question.items():
        types = members[name][0]
        fits = any(type(value) in _TYPES[word] for word in types)
        if isinstance(value, int) and abs(value) > MAX_WHOLE_NUMBER:
            fits = False
        if value is not None and not fits:
            raise RefusedError(400, f"{name} has to be of type {' or '.join(types)}")
        if name in NAMES and value is not None and len(value) > MAX_TEXT:
            raise RefusedError(400, f"{name} has to have at most {MAX_TEXT} characters")
    return {name: value for name, value in question.items() if value is not None}


def _answered(sizing: Sizing, question: dict[str, Any], *, sized: bool) -> Response:
    try:
        estimate = sizing.estimate(question)
        about = {name: getattr(estimate, name) for name in OF_ESTIMATE}
        about["breakdown"] = estimate.recorded_breakdown
        if not sized:
            return answer(about)
        budget = sizing.budget(question, estimate)
        content = {name: getattr(budget, name) for name in OF_BUDGET}
        if "provider" in question:
            content["request"] = budget.request_kwargs(question["provider"])
    except UsageError as error:
        raise RefusedError(400, str(error)) from None
    except FAULTS as error:
        raise RefusedError(400, f"the question cannot be read: {type(error).__name__}") from None
    record = sized_fields(estimate, budget) | {
        name: question.get(name) for name in ("model", "input_tokens", "run_id")
    }
    content["estimate"] = about
    content["record"] = {
        name: value if name != "labels" else dict(estimate.labels)
        for name, value in record.items()
        if value not in (None, "", ())
    }
    return answer(content)


def _labels(given: object) -> dict[str, str]:
    """Return the labels that the table can know; others cost no event."""
    if not isinstance(given, dict):
        return {}
    kept = {
        name: text
        for name, text in given.items()
        if isinstance(text, str) and NAME.fullmatch(name) and is_value(text)
    }
    return dict(list(kept.items())[:MAX_LABELS])
