"""Methods of a client that are replaced on the instance, and can be put back."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

# What belongs to a client library, which is not imported for its types.
Theirs: TypeAlias = Any

_MARK = "tokenest_replaces"


def replace(owner: object, name: str, make: Callable[[Theirs], Theirs]) -> None:
    """Put `make(method)` in the place of a method; one that is ours already is replaced itself."""
    restore(owner, name)
    method = getattr(owner, name)
    ours: Theirs = functools.update_wrapper(make(method), method)
    setattr(ours, _MARK, (ours.__code__, vars(owner).get(name)))
    setattr(owner, name, ours)


def restore(owner: object, name: str) -> None:
    """Put back what was there before `replace`; what is not ours stays.

    A wrapper of another tool may have our mark, copied from what it wraps, and has its own code.
    """
    current = vars(owner).get(name)
    code, before = getattr(current, _MARK, (None, None))
    if code is None or code is not getattr(current, "__code__", None):
        return
    if before is None:
        delattr(owner, name)
    else:
        setattr(owner, name, before)


def packages(client: object) -> set[str]:
    """The packages that the classes of an object come from."""
    return {kind.__module__.partition(".")[0] for kind in type(client).__mro__}
