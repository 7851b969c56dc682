"""What calls are grouped by, said around them; and the ceiling that asks to be sized."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Auto(int):
    """A ceiling to be sized. A client that is not sized sends the number that it is."""

    def __repr__(self) -> str:
        """Its public name."""
        return "AUTO"

    __str__ = int.__repr__  # in a text that is sent it is the number


AUTO = Auto(4096)

_current: ContextVar[Mapping[str, object]] = ContextVar(
    "tokenest_labels", default=MappingProxyType({})
)


@contextlib.contextmanager
def labels(**labels: object) -> Iterator[None]:
    """Label the calls made within: category, complexity, run, phase, and any other name.

    Labels nest, an inner one wins, and follow asyncio's tasks and the threads that copy their
    context (`asyncio.to_thread` does, a bare thread does not). Each `with` takes a new one.
    """
    token = _current.set({**_current.get(), **labels})
    try:
        yield
    finally:
        # a generator may end in another context than it began in, which never had these labels
        with contextlib.suppress(ValueError):
            _current.reset(token)


def current() -> Mapping[str, object]:
    """The labels around the caller."""
    return _current.get()
