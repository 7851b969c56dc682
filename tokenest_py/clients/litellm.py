"""LiteLLM, as a library and as a proxy: a callback that sets the ceiling and records the answer.

    litellm.callbacks = [TokenestLogger(category="support")]

In the proxy's configuration: `callbacks: tokenest_py.clients.litellm.logger`, which takes the
category from the request's metadata.

LiteLLM lets a callback change a request where it is awaited (`acompletion`, the router, the
proxy). `completion` is recorded; its ceiling has to be asked for: `completion(**logger.size(...))`.
No answer is tried a second time here. A ceiling that was refused is not sent again.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

import litellm
from litellm.integrations.custom_logger import CustomLogger

from tokenest_py.clients.labels import current, labels
from tokenest_py.clients.requests import at, has_stored_prompt
from tokenest_py.clients.sizer import Sizer
from tokenest_py.errors import UsageError
from tokenest_py.runtime.providers import APIS
from tokenest_py.runtime.providers.members import PARTIAL_USAGE, get

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from tokenest_py.clients.call import Call
    from tokenest_py.clients.patches import Theirs

    Request: TypeAlias = dict[str, Theirs]
    Category: TypeAlias = str | Callable[[Request], str | None] | None

MOST_OPEN = 10_000  # calls that are remembered until their answer comes
_CEILINGS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
# What says before a model's name how LiteLLM shall send the request, and is not logged everywhere.
_ROUTE = re.compile(r"^(responses|chat_completions|converse|invoke)/")
_LIBRARY_CALLS = ("acompletion", "aresponses")  # what is sized when it is awaited


def category_of_metadata(request: Request) -> str | None:
    """The category that a request's metadata names."""
    found = (request.get("metadata") or {}).get("category")
    return found if isinstance(found, str) else None


class TokenestLogger(CustomLogger):  # type: ignore[misc]
    """A callback of LiteLLM. Any fault of ours lets the request go out as it was written."""

    def __init__(self, *, category: Category = category_of_metadata, **options: Theirs) -> None:
        """Prepare a callback.

        Args:
            category: The category of all calls, or what finds it in a call's arguments.
            options: Those of `sized()`, without escalate.

        Raises:
            UsageError: An option is out of its bounds.
        """
        super().__init__()
        if "escalate" in options:
            asked = options["escalate"]
            raise UsageError("escalate", asked, "no such option: no answer is tried again here")
        self._category = category
        self._sizer = Sizer(escalate=False, **options)
        self._open: OrderedDict[str, Call] = OrderedDict()
        self._around: OrderedDict[str, list[Mapping[str, object]]] = OrderedDict()
        self._lock = threading.Lock()

    def size(self, **request: Theirs) -> Request:
        """The arguments of `completion` or `acompletion` with a sized ceiling. Never raises."""
        with suppress(Exception):
            call_id = request.setdefault("litellm_call_id", os.urandom(16).hex())
            return self._sized(request, call_id)
        return request

    async def async_pre_call_deployment_hook(
        self, kwargs: Request, call_type: Theirs
    ) -> Request | None:
        """Set the ceiling of what is awaited, in the library and in the proxy."""
        with suppress(Exception):
            call_id = kwargs["litellm_call_id"]
            if getattr(call_type, "value", call_type) in _LIBRARY_CALLS and not self._knows(
                call_id
            ):
                return self._sized(kwargs, call_id)
        return None

    def log_pre_api_call(self, model: str, messages: Theirs, kwargs: Request) -> None:  # noqa: ARG002
        """Keep the labels: a stream that is not awaited is logged by a thread without them."""
        with suppress(Exception), self._lock:
            self._around.setdefault(kwargs["litellm_call_id"], []).append(current())
            _forget_the_oldest(self._around)

    def log_success_event(
        self, kwargs: Request, response_obj: Theirs, *_: object, **__: object
    ) -> None:
        """Record an answer."""
        with suppress(Exception):
            self._record(kwargs, response_obj)

    async def async_log_success_event(
        self, kwargs: Request, response_obj: Theirs, *_: object, **__: object
    ) -> None:
        """Record an answer."""
        with suppress(Exception):
            self._record(kwargs, response_obj)

    def log_failure_event(self, kwargs: Request, *_: object, **__: object) -> None:
        """Forget the call: an error is no answer."""
        with suppress(Exception):
            self._fail(kwargs)

    async def async_log_failure_event(self, kwargs: Request, *_: object, **__: object) -> None:
        """Forget the call: an error is no answer."""
        with suppress(Exception):
            self._fail(kwargs)

    def _sized(self, request: Request, call_id: str) -> Request:
        if request.get("background"):  # it is answered later, when nobody can see what was cut off
            return request
        model, granted = request["model"], {}
        with suppress(Exception):
            model, of, *_ = litellm.get_llm_provider(model, request.get("custom_llm_provider"))
            granted = _granted(request, model, of)
        call = self._begin({**granted, **request}, model, is_sent=has_stored_prompt(request))
        sized = {
            name: call.body[name] for name in call.body if name in request or name not in granted
        }
        # of a call that is cancelled LiteLLM says nothing: its prompt is not kept
        call.written = {name: request[name] for name in _CEILINGS if name in request}
        call.body = {name: sized[name] for name in _CEILINGS if name in sized}
        with self._lock:
            self._open[call_id] = call
            _forget_the_oldest(self._open)
        return sized

    def _begin(self, request: Request, model: str, *, is_sent: bool = False) -> Call:
        # LiteLLM gives the ceiling the name that the provider knows.
        provider = "openai_compatible" if "messages" in request else "openai_responses"
        category = self._category(request) if callable(self._category) else self._category
        with labels(**{"category": category, **current()}):
            return self._sizer.begin(
                request, provider=provider, model=_ROUTE.sub("", model), is_sent=is_sent
            )

    def _knows(self, call_id: str) -> bool:
        with self._lock:
            return call_id in self._open

    def _close(self, kwargs: Request) -> Call | None:
        with self._lock:
            return self._open.pop(kwargs["litellm_call_id"], None)

    def _around_one(self, kwargs: Request) -> Mapping[str, object] | None:
        """The labels around a request of the call; None where the answer of each is recorded."""
        with self._lock:
            requests = self._around.get(kwargs["litellm_call_id"])
            if requests is None:  # LiteLLM did not say that it went out
                return {}
            return requests.pop() if requests else None

    def _fail(self, kwargs: Request) -> None:
        """Remember what was refused, for the next calls: this one is not ours to send again."""
        call, error = self._close(kwargs), kwargs.get("exception")
        self._around_one(kwargs)
        if call is not None and isinstance(error, Exception):
            call.finish(error=error)
            call.learn_refusal()

    def _record(self, kwargs: Request, response: Theirs) -> None:
        """Record what LiteLLM says of a call; one that we did not size as it was sent."""
        call = self._close(kwargs)
        if kwargs.get("cache_hit"):  # nobody was asked
            return
        around = self._around_one(kwargs)
        if around is None:  # a stream of responses that is not awaited is logged twice
            return
        if call is None:
            if not any(api.is_response(response) for api in APIS):  # embeddings and their like
                return
            metadata = (kwargs.get("litellm_params") or {}).get("metadata")
            request = {**(kwargs.get("optional_params") or {}), "metadata": metadata}
            if "responses" not in str(kwargs.get("call_type")):
                request["messages"] = kwargs.get("messages")
            with labels(**around):
                call = self._begin(request, kwargs["model"], is_sent=True)
        said: Request = {"model": kwargs["model"], "provider": kwargs.get("custom_llm_provider")}
        if _is_counted_here(kwargs, response):
            said |= {"quality_flags": [PARTIAL_USAGE], "stop_reason": None, "truncated": None}
        call.finish(response, **said)


def _forget_the_oldest(known: OrderedDict[str, Theirs]) -> None:
    while len(known) > MOST_OPEN:
        known.popitem(last=False)


def _is_counted_here(kwargs: Request, response: Theirs) -> bool:
    """Whether LiteLLM counted a stream's text itself, since nobody asked the server for the usage.

    What the model thought is not in it.
    """
    return bool(
        kwargs.get("stream")
        and not at(kwargs, ("stream_options", "include_usage"))
        and get(get(response, "usage"), "prompt_tokens_details") is None
    )


def _granted(request: Request, model: str, provider: str) -> Request:
    """What LiteLLM grants to thinking for an effort, where the model takes no effort itself."""
    effort = request.get("reasoning_effort") or at(request, ("reasoning", "effort"))
    if effort is None:
        return {}
    made = litellm.get_optional_params(
        model=model, custom_llm_provider=provider, reasoning_effort=effort, drop_params=True
    )
    tokens = at(made, ("thinking", "budget_tokens")) or at(
        made, ("thinkingConfig", "thinkingBudget")
    )
    return {"thinking": {"budget_tokens": tokens}}


logger = TokenestLogger()
