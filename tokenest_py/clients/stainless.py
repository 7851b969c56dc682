"""Clients of OpenAI, Anthropic and every other library that Stainless makes.

All of their methods, and every framework that is handed a client, end in one method:
`client.request(cast_to, options, stream=, stream_cls=)`. Retries of the library happen within it.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, get_origin

from tokenest_py.clients.attempts import run, run_async
from tokenest_py.clients.passing import Passing
from tokenest_py.clients.patches import Theirs, replace, restore
from tokenest_py.clients.refusals import USAGE
from tokenest_py.clients.requests import (
    at,
    granted_reasoning,
    has_stored_prompt,
    is_model_of_openai,
    may_have_acted,
)
from tokenest_py.runtime.providers import BY_PROVIDER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tokenest_py.clients.call import Call
    from tokenest_py.clients.sizer import Sizer

_BASES = {"SyncAPIClient", "AsyncAPIClient"}
_RAW = "X-Stainless-Raw-Response"  # the header by which the libraries remember it
_SIZER = "_tokenest_sizer"  # the client's attribute
_COPIES = ("copy", "with_options", "with_middleware")
_PATHS = {
    "/chat/completions": "openai",
    "/responses": "openai_responses",
    "/v1/messages": "anthropic",
}
# Whoever is neither OpenAI nor Azure nor serves a model of theirs may know the older name only.
_OPENAI_HOST = re.compile(r"(^|\.)(openai\.com|azure\.(com|us|cn))$")
_SAYS_USAGE = re.compile(r"(^|\.)openrouter\.ai$")  # asked or not
_OMITTED = ("Omit", "NotGiven")
_DEPLOYMENT = re.compile(r"/deployments/([^/?]+)")
_ALLOWED_WITHOUT_STREAM = 21_333  # Anthropic: 3,600 s * tokens / 128,000 may not exceed 600 s


def is_client(client: object) -> bool:
    """Whether the client is of such a library."""
    return _is_a(client, _BASES)


def _is_a(client: object, bases: set[str]) -> bool:
    return any(kind.__name__ in bases for kind in type(client).__mro__)


def wire(client: Theirs, sizer: Sizer) -> None:
    """Size what the client and its copies send."""
    setattr(client, _SIZER, sizer)
    replace(client, "request", lambda real: _request(client, sizer, real))
    for name in _COPIES:
        if hasattr(client, name):
            replace(client, name, lambda real: _sized_copy(sizer, real))


def unwire(client: object) -> None:
    """Leave the client as it was."""
    for name in ("request", *_COPIES):
        restore(client, name)
    vars(client).pop(_SIZER, None)


def _sized_copy(sizer: Sizer, real: Callable[..., Theirs]) -> Callable[..., Theirs]:
    def copied(*args: object, **kwargs: object) -> Theirs:
        made = real(*args, **kwargs)
        with suppress(Exception):
            wire(made, sizer)
        return made

    return copied


def _request(client: Theirs, sizer: Sizer, real: Callable[..., Theirs]) -> Callable[..., Theirs]:
    async def request_async(
        cast_to: Theirs, options: Theirs, *, stream: bool = False, stream_cls: Theirs = None
    ) -> Theirs:
        written = options, stream_cls
        return await run_async(
            lambda: _Attempt(client, sizer, written, stream=stream),
            lambda sent: real(cast_to, sent[0], stream=stream, stream_cls=sent[1]),
            written,
        )

    def request(
        cast_to: Theirs, options: Theirs, *, stream: bool = False, stream_cls: Theirs = None
    ) -> Theirs:
        written = options, stream_cls
        return run(
            lambda: _Attempt(client, sizer, written, stream=stream),
            lambda sent: real(cast_to, sent[0], stream=stream, stream_cls=sent[1]),
            written,
        )

    return request_async if _is_a(client, {"AsyncAPIClient"}) else request


class _Attempt:
    """One call: `request` is the library's options and the class of its stream."""

    def __init__(
        self, client: Theirs, sizer: Sizer, written: tuple[Theirs, Theirs], *, stream: bool
    ) -> None:
        self.request = written
        options, stream_cls = written
        self._stream = stream
        self._call: Call | None = None
        self._unparsed: Theirs = None  # an answer that the library has, and cannot parse perhaps
        if getattr(client, _SIZER, None) is not sizer:  # left within the wrapper of another tool
            return
        body = _body(options)
        path = next((p for p in _PATHS if options.url.partition("?")[0].endswith(p)), None)
        if path is None or options.method.lower() != "post" or not isinstance(body, dict):
            return
        if body.get("background"):  # it is answered later, and then nothing could be tried again
            return
        provider = _PATHS[path]
        if provider == "anthropic" and body.get("max_tokens") == 0:  # it fills the cache of prompts
            return
        if provider == "openai" and not _speaks_openai(client, body):
            provider = "openai_compatible"
        most = _allowed_without_stream(body) if provider == "anthropic" and not stream else None
        if most is not None and granted_reasoning(body, BY_PROVIDER[provider]) >= most:
            most = None  # the ceiling has to be above that
        model = None if body.get("model") else _deployment(client)
        is_stored = path == "/responses" and has_stored_prompt(body)
        call = sizer.begin(
            body, provider=provider, stream=stream, model=model, most=most, is_sent=is_stored
        )
        if not stream:
            self._call = call
            self.request = self._showing(_with_body(options, call.body)), stream_cls
            return
        sent = call.body
        asked: Theirs = sent.get(USAGE)
        is_told = _is_told_usage(client, body)
        hides_usage = (
            path == "/chat/completions"
            and sizer.sets_ceilings
            and sizer.recorder.enabled
            and not _is_handed_over_unread(options)
            and not sizer.refuses(provider, call.model or "", USAGE)
            and not is_told
        )
        if hides_usage:
            sent = {**sent, USAGE: {**(asked or {}), "include_usage": True}}
            call.is_changed = True
        passing = Passing(
            call,
            comes_usage=is_told or hides_usage,
            hides_usage=hides_usage,
            parses=at(body, ("output_config", "format")) is not None,
        )
        tapped = _tapped(stream_cls, passing)
        self._call = call
        self.request = _with_body(options, sent), tapped

    @property
    def replaces(self) -> bool:
        """Whether the second attempt is there because ours was refused."""
        return self._call is not None and self._call.replaces

    def after(self, answer: Theirs, error: Exception | None) -> bool:
        """Record, and set the next request where there is one."""
        call = self._call
        if call is None or (self._stream and error is None):
            return False
        raw = getattr(answer, "http_response", None)
        if raw is not None and not raw.is_closed:  # with_streaming_response: not ours to read
            return False
        if error is not None and self._unparsed is not None:
            answer, error = self._unparsed, None
        self._unparsed = None
        options, stream_cls = self.request
        if call.finish(answer, error).budget is None:
            return False
        if error is None and (may_have_acted(call.body) or _is_said_once(options)):
            return False
        self.request = _with_body(options, call.body), stream_cls
        return True

    def _showing(self, options: Theirs) -> Theirs:
        """The options, whose parser of structured output shows us what it is given.

        It raises where an answer was cut off, and the answer is not in each of its errors.
        """
        parse = options.post_parser
        if callable(parse):

            def parse_shown(answer: Theirs) -> Theirs:
                self._unparsed = answer
                return parse(answer)

            options.post_parser = parse_shown
        return options


def _body(options: Theirs) -> Theirs:
    """The body as the library will send it: `extra_body` wins, and what is omitted is not there."""
    body, more = options.json_data, options.extra_json
    if not isinstance(body, dict):
        return body
    given = {**body, **more} if isinstance(more, Mapping) else body
    return {name: value for name, value in given.items() if type(value).__name__ not in _OMITTED}


def _with_body(options: Theirs, body: Theirs) -> Theirs:
    changed = copy.copy(options)
    changed.json_data, changed.extra_json = body, None
    return changed


def _is_handed_over_unread(options: Theirs) -> bool:
    """Whether the application reads the lines of a stream itself (`with_streaming_response`)."""
    headers = options.headers
    return isinstance(headers, Mapping) and headers.get(_RAW) == "stream"


def _is_said_once(options: Theirs) -> bool:
    """Whether the application keyed the request, so that a second one would have its answer."""
    headers = options.headers if isinstance(options.headers, Mapping) else {}
    names = {name.lower() for name in headers}
    return options.idempotency_key is not None or "idempotency-key" in names


def _speaks_openai(client: Theirs, body: dict[str, Theirs]) -> bool:
    host = getattr(client.base_url, "host", "")
    is_known = _OPENAI_HOST.search(host) or is_model_of_openai(body.get("model"))
    return bool(is_known) or _is_a(client, {"BaseAzureClient"})  # often behind a host of one's own


def _is_told_usage(client: Theirs, body: dict[str, Theirs]) -> bool:
    """Whether the application has the usage of a stream anyway, or asked for it."""
    return bool(
        at(body, (USAGE, "include_usage"))
        or at(body, ("usage", "include"))
        or _SAYS_USAGE.search(getattr(client.base_url, "host", ""))
    )


def _deployment(client: Theirs) -> str | None:
    """The deployment that a client of Azure was made for, whose requests need no model."""
    found = _DEPLOYMENT.search(str(client.base_url))
    return found[1] if found else None


def _allowed_without_stream(body: dict[str, Theirs]) -> int:
    constants = sys.modules.get("anthropic._constants")
    less = getattr(constants, "MODEL_NONSTREAMING_TOKENS", {}).get(body.get("model"))
    return _ALLOWED_WITHOUT_STREAM if less is None else min(less, _ALLOWED_WITHOUT_STREAM)


def _tapped(stream_cls: Theirs, passing: Passing) -> Theirs:
    """The library's class of stream, which also shows the call what passes.

    A helper of the library's that is left closes its stream, and its generator lives on in a cycle.
    """
    base: Theirs = get_origin(stream_cls) or stream_cls
    if inspect.isasyncgenfunction(base.__stream__):
        return _tapped_async(stream_cls, passing)

    class Tapped(stream_cls):  # type: ignore[misc]
        def __stream__(self) -> Iterator[Theirs]:
            with contextlib.closing(super().__stream__()) as events:
                yield from passing.through(events)

        def close(self) -> None:
            passing.finish()
            super().close()

    return Tapped


def _tapped_async(stream_cls: Theirs, passing: Passing) -> Theirs:
    """The same for a stream that is awaited."""

    class TappedAsync(stream_cls):  # type: ignore[misc]
        async def __stream__(self) -> AsyncIterator[Theirs]:
            # asyncio closes the library's generator itself: closed here too, it would complain
            try:
                async for event in super().__stream__():
                    for ready in passing.now(event):
                        yield ready
            except Exception:
                for ready in passing.rest():
                    yield ready
                raise
            finally:
                passing.finish()
            for ready in passing.rest():
                yield ready

        async def close(self) -> None:
            passing.finish()
            await super().close()

    return TappedAsync
