"""Reads how a provider refuses a request that has our ceiling, or asks for a stream's usage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tokenest_py.clients import requests

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

USAGE = "stream_options"  # the parameter that asks for the usage of a stream
_STATUSES = (400, 422)
# OpenAI and Groq count the ceiling against the tokens per minute, used or not.
_STATUSES_OF_RATES = (413, 429)
_RATE = re.compile(r"request too large .*tokens per min", re.IGNORECASE | re.DOTALL)
_INPUT = re.compile(
    r"context[\W_]+(length|limit|window)|model token limit|model max length", re.IGNORECASE
)
# Errors in the place of an answer that was cut off: OpenAI has one where reasoning took all that
# there was, and Groq where JSON was asked for.
_SPENT = re.compile(
    r"could not finish the message because max_tokens|max completion tokens reached", re.IGNORECASE
)
_OURS = re.compile(
    rf"max\w*tokens|maximum (output )?tokens|{USAGE}|{_INPUT.pattern}|{_SPENT.pattern}",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"unsupported|unrecogni[sz]ed|unknown|unexpected|forbidden|not (supported|permitted|allowed)",
    re.IGNORECASE,
)


def message_of(error: BaseException) -> str | None:
    """What the provider says, where it may be about what we added; else None."""
    message, status = str(error), _status(error)
    is_ours = (status in _STATUSES and _OURS.search(message)) or (
        status in _STATUSES_OF_RATES and _RATE.search(message)
    )
    return message if is_ours else None


def is_spent(message: str) -> bool:
    """Whether the ceiling was taken, and not enough."""
    return bool(_SPENT.search(message))


def parameters(message: str, body: Mapping[str, object], api: ModuleType) -> tuple[str, ...]:
    """The parameters that the model does not take, as far as the message says.

    Of a ceiling whose name is unknown there, it is that name; of one that is refused in words that
    say no more, every name. Where the input was too long, it holds for that input alone.
    """
    if USAGE in message:
        return (USAGE,)
    if _INPUT.search(message):
        return ()
    path, _ = requests.written_ceiling(body, api)
    if path is not None and _NAME.search(message):
        return (path[-1],)
    return tuple(path[-1] for path in api.CEILINGS)


def _status(error: BaseException) -> object:
    """The HTTP status of an error, as OpenAI and Anthropic, Google and LiteLLM have it."""
    status = getattr(error, "status_code", None)
    return getattr(error, "code", None) if status is None else status


def holds_answer(answer: object) -> bool:
    """Whether there is something to read: most errors are only errors."""
    return not isinstance(answer, BaseException) or any(
        getattr(answer, name, None) is not None for name in ("completion", "last_completion")
    )
