"""Members of a response, whether it is an object of a library or a dictionary of its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tokenest_py.errors import DroppedEventError
from tokenest_py.runtime.stop_reasons import is_cut_off


def get(source: object, *names: str) -> object:
    """Return the first member of these names that `source` has, or None."""
    for name in names:
        value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
        if value is not None:
            return value
    return None


def items(source: object, *names: str) -> Sequence[object]:
    """Return the member as a list; empty where it is none."""
    found = get(source, *names)
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()


def total(*counts: object) -> int | None:
    """Return the sum of the counts that are there, or None where there is none."""
    known = [count for count in counts if isinstance(count, int)]
    if len(known) < sum(count is not None for count in counts):
        raise DroppedEventError("unknown_response")
    return sum(known) if known else None


def name(reason: object) -> object:
    """Return the name of an enumeration's member (FinishReason.MAX_TOKENS), else as given."""
    return get(reason, "name") or reason


def answers(reasons: Sequence[object], tokens: object) -> dict[str, object]:
    """Return stop reason and output tokens of all answers to one request.

    Of several answers only the sum of their tokens is known. The longest of them has at least the
    mean, and at most the ceiling: so the mean is recorded, and no stop reason, which says that
    the demand is at least this. If one was cut off, that is the stop reason.
    """
    if len(reasons) == 1:
        return {"stop_reason": reasons[0], "actual_output_tokens": tokens}
    if not reasons or not isinstance(tokens, int):  # a blocked prompt has no answer
        return {"stop_reason": None, "actual_output_tokens": tokens}
    cut = [reason for reason in reasons if isinstance(reason, str) and is_cut_off(reason)]
    return {
        "stop_reason": cut[0] if cut else None,
        "actual_output_tokens": -(-tokens // len(reasons)),
        "quality_flags": [SEVERAL_ANSWERS],
    }


# Flags of an event, as var partial_usage_flags has the first.
PARTIAL_USAGE = "partial_usage"
SEVERAL_ANSWERS = "several_answers"


def is_partial(event: Mapping[str, object]) -> bool:
    """Whether the tokens of an event are a part of its answer's, which show no demand."""
    flags = event.get("quality_flags")
    return isinstance(flags, (list, tuple)) and PARTIAL_USAGE in flags
