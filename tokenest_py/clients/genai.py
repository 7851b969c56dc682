"""Google's client: each request of its models, chats and function calls ends in one method."""

from __future__ import annotations

import inspect
import itertools
from contextlib import suppress
from typing import TYPE_CHECKING

from tokenest_py.clients.attempts import run, run_async
from tokenest_py.clients.patches import Theirs, packages, replace, restore
from tokenest_py.clients.requests import may_have_acted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tokenest_py.clients.sizer import Sizer

_ONCE, _STREAM = "_generate_content", "_generate_content_stream"


def is_client(client: object) -> bool:
    """Whether this is `google.genai.Client`."""
    has_both = hasattr(client, "aio") and hasattr(getattr(client, "models", None), _ONCE)
    return has_both and "google" in packages(client)


def wire(client: Theirs, sizer: Sizer) -> None:
    """Size what the client sends, awaited or not."""
    for models in (client.models, client.aio.models):
        replace(models, _ONCE, lambda real: _once(sizer, real))
        replace(models, _STREAM, lambda real: _stream(sizer, real))


def unwire(client: Theirs) -> None:
    """Leave the client as it was."""
    for models in (client.models, client.aio.models):
        for name in (_ONCE, _STREAM):
            restore(models, name)


def _once(sizer: Sizer, real: Callable[..., Theirs]) -> Callable[..., Theirs]:
    async def generate_async(**asked: Theirs) -> Theirs:
        return await run_async(
            lambda: _Attempt(sizer, asked, stream=False), lambda sent: real(**sent), asked
        )

    def generate(**asked: Theirs) -> Theirs:
        return run(lambda: _Attempt(sizer, asked, stream=False), lambda sent: real(**sent), asked)

    return generate_async if inspect.iscoroutinefunction(real) else generate


def _stream(sizer: Sizer, real: Callable[..., Theirs]) -> Callable[..., Theirs]:
    """Around a stream: the request is sent by `await`, or when the first part is asked for."""

    async def stream_async(**asked: Theirs) -> AsyncIterator[Theirs]:
        made: list[_Attempt] = []

        def begin() -> _Attempt:
            made.append(_Attempt(sizer, asked, stream=True))
            return made[0]

        parts = await run_async(begin, lambda sent: real(**sent), asked)

        async def shown() -> AsyncIterator[Theirs]:
            try:
                async for part in parts:
                    _show(made, part)
                    yield part
            finally:
                _finish(made)

        return shown()

    def stream(**asked: Theirs) -> Iterator[Theirs]:
        made: list[_Attempt] = []

        def begin() -> _Attempt:
            made.append(_Attempt(sizer, asked, stream=True))
            return made[0]

        def send(sent: dict[str, Theirs]) -> tuple[list[Theirs], Iterator[Theirs]]:
            parts = iter(real(**sent))
            return list(itertools.islice(parts, 1)), parts

        first, rest = run(begin, send, asked)
        try:
            for parts in (first, rest):
                for part in parts:
                    _show(made, part)
                    yield part
        finally:
            _finish(made)

    return stream_async if inspect.iscoroutinefunction(real) else stream


def _show(made: list[_Attempt], part: object) -> None:
    with suppress(Exception):
        for attempt in made:
            attempt.call.add(part)


def _finish(made: list[_Attempt]) -> None:
    with suppress(Exception):
        for attempt in made:
            attempt.call.finish()


class _Attempt:
    """One call: `request` is the arguments of the method."""

    def __init__(self, sizer: Sizer, asked: dict[str, Theirs], *, stream: bool) -> None:
        self._asked = asked
        self._stream = stream
        self.call = sizer.begin(_body(asked), provider="gemini", stream=stream)
        self.request = self._with_ceiling() if self.call.is_changed else asked

    @property
    def replaces(self) -> bool:
        """Whether the second attempt is there because ours was refused."""
        return self.call.replaces

    def after(self, answer: object, error: Exception | None) -> bool:
        """Record, and set the next request where there is one."""
        if (self._stream and error is None) or self.call.finish(answer, error).budget is None:
            return False
        if error is None and may_have_acted(self._asked.get("config")):
            return False
        self.request = self._with_ceiling() if self.call.is_changed else self._asked
        return True

    def _with_ceiling(self) -> dict[str, Theirs]:
        """The arguments with the call's ceiling, in the form in which the caller gave them."""
        config: Theirs = self._asked.get("config")
        tokens = self.call.max_tokens
        if hasattr(config, "model_copy"):
            config = config.model_copy(update={"max_output_tokens": tokens})
        else:
            config = {name: config[name] for name in config or () if name not in _NAMES}
            if tokens is not None:
                config["max_output_tokens"] = tokens
        return {**self._asked, "config": config}


_NAMES = ("max_output_tokens", "maxOutputTokens")


def _body(asked: dict[str, Theirs]) -> dict[str, Theirs]:
    """The request as the API takes it, as far as the ceiling is concerned."""
    config = asked.get("config")
    known = config if isinstance(config, dict) else vars(config) if config is not None else {}
    thinking = known.get("thinking_config", known.get("thinkingConfig"))
    level = getattr(thinking, "thinking_level", None)
    written = next((known[name] for name in _NAMES if known.get(name) is not None), None)
    return {
        "model": asked.get("model"),
        "contents": [asked.get("contents"), known.get("system_instruction")],
        "generationConfig": {
            "maxOutputTokens": written,
            "thinkingConfig": {
                "thinkingLevel": getattr(level, "value", level),
                "thinkingBudget": getattr(thinking, "thinking_budget", None),
            },
        },
    }
