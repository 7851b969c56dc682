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

_current: ContextVar[tuple[Mapping[str, object], labels | None]] = ContextVar(
    "tokenest_labels", default=(MappingProxyType({}), None)
)


class labels:  # noqa: N801 - read as what it does: `with labels(...)`
