"""JSON read as the pipeline reads it: no key twice in an object, no NaN and no infinity."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = ["RepeatedKeyError", "decode_strictly", "refuse_constant"]


class RepeatedKeyError(ValueError):
    """A key stands twice in an object."""


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN, Infinity and -Infinity, which are no JSON.

    Raises:
        ValueError: Always, with the name.
    """
    raise ValueError(name)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RepeatedKeyError("a key stands twice in an object")
    return found


decode_strictly = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_constant=refuse_constant
).decode
