"""What calls are grouped by, said around them; and the ceiling that asks to be sized."""

from __future__ import annotations

import contextlib
import functools
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tokenest_py.runtime.labels import is_value
from tokenest_py.runtime.recorder.record import text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Mapping

_F = TypeVar("_F", bound="Callable[..., Any]")


class Auto(int):
    """A ceiling to be sized. A client that is not sized sends the number that it is."""

    def __repr__(self) -> str:
        """Its public name."""
        return "AUTO"

    __str__ = int.__repr__  # in a text that is sent it is the number


AUTO = Auto(4096)


class labels(contextlib.ContextDecorator):  # noqa: N801 - it reads as what it does
    """Label the calls made within: category, complexity, run, phase, and any other name.

    Labels nest, an inner one wins, and follow asyncio's tasks and the threads that copy their
    context (`asyncio.to_thread` does, a bare thread does not). One may be kept, and used many times
    and by many tasks, and decorate a function, awaited or not, or a generator.
    """

    def __init__(self, /, **labels: object) -> None:
        """Say the labels."""
        self._labels = labels

    def __call__(self, function: _F) -> _F:
        """The function, whose calls have the labels; those of a generator come as it is read."""
        import inspect  # here: it takes 7 ms, and few decorate

        if inspect.iscoroutinefunction(function):

            async def awaited(*args: object, **kwargs: object) -> object:
                with self:
                    return await function(*args, **kwargs)

            labelled: Callable[..., Any] = awaited
        elif inspect.isasyncgenfunction(function):

            async def streamed(*args: object, **kwargs: object) -> AsyncIterator[object]:
                async with contextlib.aclosing(function(*args, **kwargs)) as parts:
                    with self:
                        async for part in parts:
                            yield part

            labelled = streamed
        elif inspect.isgeneratorfunction(function):

            def generated(*args: object, **kwargs: object) -> Generator[object, object, object]:
                with self:
                    return (yield from function(*args, **kwargs))

            labelled = generated
        else:
            return super().__call__(function)
        return functools.wraps(function)(labelled)  # type: ignore[return-value]

    def __enter__(self) -> None:
        """Begin."""
        around = _around.get()
        _around.set(_Around({**around.known, **self._labels}, self, around))

    def __exit__(self, *_: object) -> None:
        """End. A generator may end in another context than it began in, which has none of these."""
        around: _Around | None = _around.get()
        while around is not None and around.said_by is not self:
            around = around.outer
        if around is not None and around.outer is not None:
            _around.set(around.outer)


class _Around(NamedTuple):
    known: Mapping[str, object]
    said_by: labels | None = None
    outer: _Around | None = None


_NONE = _Around(MappingProxyType({}))
_around: ContextVar[_Around] = ContextVar("tokenest_labels", default=_NONE)


def current() -> Mapping[str, object]:
    """The labels around the caller."""
    return _around.get().known


def text_of_label(value: object) -> str | None:
    """The text of a label as the recorder has it; None for what is none."""
    try:
        text = text_of(value)
    except (TypeError, ValueError):
        return None
    return text if is_value(text) else None
