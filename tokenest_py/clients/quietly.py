"""What keeps our faults away from the application."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from tokenest_py.runtime.log import warn

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_T = TypeVar("_T")
_seen: set[tuple[str, str]] = set()


class Quietly:
    """Suppresses what is raised within, and logs the first of each kind. Interrupts pass."""

    def __init__(self, place: str, so: str = "calls go out as they were written") -> None:
        """Name the place, and what follows, for the log."""
        self._place = place
        self._so = so

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        """Suppress an error, and nothing that ends the process."""
        if kind is None or not issubclass(kind, Exception):
            return False
        found = (self._place, kind.__name__)
        if found not in _seen:
            _seen.add(found)
            warn(f"{self._place} failed with {kind.__name__}; {self._so}")
        return True


def quiet(default: _T) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """A function that returns `default` where it would raise."""

    def wrap(function: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(function)
        def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            with Quietly(function.__qualname__):
                return function(*args, **kwargs)
            return default

        return run

    return wrap
