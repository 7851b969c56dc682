"""What of an OTLP record is written: what the `otel` source maps, and nothing else.

Its field map says which attributes there are, so that a prompt in any other never meets the disk.
A mapped attribute holds a name, an id or a number: a longer text is none, and is left out.
"""

from __future__ import annotations

import csv
import json
import math
import re
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import TokenestError
from tokenest_py.runtime.recorder.record import MAX_TEXT, printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Kept", "event_name"]

MAX_VALUES = 20  # of a list, such as finish reasons
# A record without any of these says nothing of a call, nor who made one.
COUNTS = ("actual_output_tokens", "agent")

_ATTRIBUTE = re.compile(r"attributes\{([^}]*)\}(?:>(\w+))?")
_EVENT_NAME = re.compile(r"[a-z_]+([.][a-z_]+)+")  # as landing takes one
_WHOLE = re.compile(r"-?[0-9]{1,20}")


class Kept:
    """The attributes that the field map names; a place that is not kept says nothing."""

    def __init__(self, fields: Path) -> None:
        """Read the field map.

        Raises:
            TokenestError: It is not there.
        """
        self.resource: set[str] = set()
        self.counting: set[str] = set()
        self._members: dict[str, set[str]] = {}
        try:
            text = fields.read_text(encoding="utf-8")
        except OSError as error:
            message = f"{fields} cannot be read: {error.strerror}; start in another folder"
            raise TokenestError(message) from error
        for row in csv.DictReader(text.splitlines()):
            for name, member in _ATTRIBUTE.findall(row["path"]):
                if row["path"].startswith("/"):
                    self.resource.add(name)
                    continue
                members = self._members.setdefault(name, set())
                members |= {member} if member else set()
                if row["field"] in COUNTS:
                    self.counting.add(name)

    def __contains__(self, name: object) -> bool:
        """Whether the attribute of a record is mapped."""
        return name in self._members

    def attributes(self, found: Iterable[tuple[str, object]]) -> list[dict[str, Any]]:
        """Return the mapped attributes of a record, in JSON; the first one of a name counts."""
        return self._first(found, self._members)

    def of_resource(self, found: Iterable[tuple[str, object]]) -> list[dict[str, Any]]:
        """Return the mapped attributes of a resource, in JSON."""
        return self._first(found, {name: set() for name in self.resource})

    def counts(self, attributes: Iterable[dict[str, Any]]) -> bool:
        """Whether a record with these attributes is a call, or an agent above one."""
        return any(attribute["key"] in self.counting for attribute in attributes)

    def _first(
        self, found: Iterable[tuple[str, object]], names: dict[str, set[str]]
    ) -> list[dict[str, Any]]:
        kept: dict[str, dict[str, Any]] = {}
        for name, value in found:
            if name in names and name not in kept:
                bounded = _members(value, names[name]) if names[name] else _bounded(value)
                if bounded is not None:
                    kept[name] = {"key": name, "value": bounded}
        return list(kept.values())


def event_name(value: object) -> str | None:
    """Return the name of an event; None for any other text."""
    if isinstance(value, str) and len(value) <= MAX_TEXT and _EVENT_NAME.fullmatch(value):
        return value
    return None


def _bounded(value: object) -> dict[str, Any] | None:
    """Return a value of OTLP in JSON, where it is a short text, a number or a list of these."""
    if not isinstance(value, dict):
        return None
    [*kinds] = value
    if kinds == ["arrayValue"] and isinstance(value["arrayValue"], dict):
        values = value["arrayValue"].get("values")
        if not isinstance(values, list):
            return None
        bounded = [_scalar(item) for item in values[:MAX_VALUES]]
        return {"arrayValue": {"values": [item for item in bounded if item is not None]}}
    return _scalar(value)


def _scalar(value: object) -> dict[str, Any] | None:
    if not isinstance(value, dict) or len(value) != 1:
        return None
    [(kind, content)] = value.items()
    match kind, content:
        case "stringValue", str() if len(content) <= MAX_TEXT:
            # a lone surrogate would cost the whole line at landing
            return {"stringValue": printable(content)}
        case "intValue", str() | int() if _WHOLE.fullmatch(str(content)):
            return value
        case "doubleValue", float() | int() if math.isfinite(content):
            return value
        case "boolValue", bool():
            return value
    return None


def _members(value: object, members: set[str]) -> dict[str, Any] | None:
    """Return the mapped numbers of a text that is a JSON object: it holds the request as well."""
    text = value.get("stringValue") if isinstance(value, dict) else None
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    numbers = {name: found[name] for name in sorted(members) if type(found.get(name)) is int}
    return {"stringValue": json.dumps(numbers)} if numbers else None
