"""Ceilings and records for calls of client libraries; uses the runtime alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tokenest_py.clients.labels import AUTO, labels
from tokenest_py.clients.patches import packages
from tokenest_py.clients.sizer import Sizer
from tokenest_py.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from tokenest_py.runtime.budget import Escalation
    from tokenest_py.runtime.estimator import Estimator
    from tokenest_py.runtime.recorder import Recorder

__all__ = ["AUTO", "Sizer", "labels", "sized", "unsized"]

_Client = TypeVar("_Client")


def sized(
    client: _Client,
    *,
    estimator: Estimator | None = None,
    recorder: Recorder | None = None,
    mode: str = "size",
    max_truncation: float = 0.02,
    escalate: bool = True,
    max_tokens: int | None = None,
    count: Callable[[Mapping[str, object]], int] | None = None,
    on_truncation: Callable[[Escalation], object] | None = None,
    **labels: object,
) -> _Client:
    """The same client, whose calls have a sized ceiling and whose answers are recorded.

    A ceiling that the caller writes is kept, unless it is AUTO. Of what nothing is known yet, no
    ceiling is sent where the API allows none. An answer that was cut off by a sized ceiling is
    tried once more with a larger one, a stream is not. Any fault of ours lets the request go out
    as it was written. Sizing a client again replaces its settings. A mock of `unittest.mock`, as
    tests of an application have in the place of a client, is returned as it is.

    Args:
        client: Of OpenAI, Anthropic or another library made by Stainless; Google's, boto3's of
            Bedrock, or a chat model of LangChain for OpenAI or Anthropic.
        estimator: Where ceilings come from; by default the coefficients that `Estimator.load`
            finds, looked at again every minute.
        recorder: Where answers go; by default `Recorder.from_env()`.
        mode: "size", or "observe" to record and change no request.
        max_truncation: The rate of truncated answers that is accepted, a ratio.
        escalate: Whether an answer that was cut off is tried once more.
        max_tokens: The most that is ever asked for.
        count: The tokens of a request's body; by default a quarter of its characters.
        on_truncation: Called with the Escalation of each answer that was cut off.
        labels: What the calls are grouped by: category, complexity, run and any other name.

    Raises:
        UsageError: The client is of no known kind, or an argument is out of its bounds.
    """
    adapter = None if _is_mock(client) else _adapter(client)
    sizer = Sizer(
        estimator=estimator,
        recorder=recorder,
        mode=mode,
        max_truncation=max_truncation,
        escalate=escalate,
        max_tokens=max_tokens,
        count=count,
        on_truncation=on_truncation,
        **labels,
    )
    if adapter is not None:
        adapter.wire(client, sizer)
    return client


def unsized(client: _Client) -> _Client:
    """The same client as it was before `sized()`. Copies made in between stay sized."""
    if not _is_mock(client):
        _adapter(client).unwire(client)
    return client


def _is_mock(client: object) -> bool:
    return "unittest" in packages(client)


def _adapter(client: object) -> ModuleType:
    from tokenest_py.clients import boto, genai, langchain, stainless  # paid for when one is sized

    for adapter in (stainless, langchain, genai, boto):
        if adapter.is_client(client):
            return adapter
    name = getattr(client, "__name__", None)  # of a module or a class
    kind = f"{type(client).__module__}.{type(client).__qualname__}"
    kind = kind if name is None else f"{type(client).__name__} {name}"
    expected = (
        "a client of openai, anthropic, google-genai or boto3, or LangChain's ChatOpenAI or"
        " ChatAnthropic, before anything is made of it; Sizer is for all others"
    )
    raise UsageError("client", kind, expected)
