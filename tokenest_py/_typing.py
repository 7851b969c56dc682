"""TYPE_CHECKING and NamedTuple without importing typing.

Importing typing and making its named tuples is a third of what the runtime would add to the
start of a bare Python. Type checkers see the real ones.
"""

from __future__ import annotations

from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:

    class _NamedTupleType(type):
        """Turns each annotated name of a class body into a property for its place."""

        def __new__(
            cls, name: str, bases: tuple[type, ...], body: dict[str, Any]
        ) -> _NamedTupleType:
            """A class without a __dict__, so that nothing can be added to an instance."""
            fields = tuple(body.get("__annotations__", ()))
            body["_field_defaults"] = {name: body.pop(name) for name in fields if name in body}
            body |= {field: property(itemgetter(place)) for place, field in enumerate(fields)}
            return super().__new__(cls, name, bases, {**body, "_fields": fields, "__slots__": ()})

    class NamedTuple(tuple, metaclass=_NamedTupleType):
        """A tuple with names for its places."""

        __slots__ = ()

        def __new__(cls, *values: object, **named: object) -> tuple[object, ...]:
            """Take the values in order or by name; what is missing has to have a default."""
            if len(values) != len(cls._fields):
                given = dict(zip(cls._fields, values, strict=False))
                given = {**cls._field_defaults, **given, **named}
                if given.keys() != set(cls._fields):
                    raise TypeError(cls.__name__, sorted(given.keys() ^ set(cls._fields)))
                values = tuple([given[name] for name in cls._fields])
            return tuple.__new__(cls, values)

        def __getnewargs__(self) -> tuple[object, ...]:
            """The values, for copy and pickle."""
            return tuple(self)

        def __repr__(self) -> str:
            """The class with its names and values."""
            pairs = ", ".join([f"{name}={value!r}" for name, value in self._asdict().items()])
            return f"{type(self).__name__}({pairs})"

        def _asdict(self) -> dict[str, object]:
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changes: object) -> tuple[object, ...]:
            return type(self)(**{**self._asdict(), **changes})


__all__ = ["TYPE_CHECKING", "NamedTuple"]
