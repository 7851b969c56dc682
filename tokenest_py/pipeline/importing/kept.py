"""What of a record is kept: the members that a field map names, in the form that it reads.

A text is kept only where a path leads to it, so that nothing of a prompt or an answer is written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.importing.cells import parsed
from tokenest_py.runtime.recorder.record import MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Node", "steps_of"]

# the steps of a path, as macros/record/paths.sql has them
STEP = re.compile(r'"([^"]+)"|([A-Za-z0-9_$-]+)|\[([0-9]*)\]|\{([^}]+)\}|(>)')
STOP = re.compile(r'"((?:stop|finish|completion)_?[rR]eason)": "([^"\\]{1,200})"')
MAXIMUM = re.compile(r"exceeded the [0-9]+ output token maximum")


@dataclass(slots=True)
class Node:
    """What is kept of a value: members by name, items of a list, or the value itself.

    Attributes:
        members: By name; the items of a list are below `[]`.
        keys: The attributes that are kept of a list of keys and values.
        kinds: Types that field maps give the value itself.
        forms: Those of its types and forms that read an object or a list as one value (SHAPES).
        in_text: The value is a text that holds JSON.
    """

    members: dict[str, Node] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    forms: set[str] = field(default_factory=set)
    in_text: bool = False

    def add(self, steps: Sequence[tuple[str, str]], kind: str, form: str) -> None:
        """Lead to a value of that type, in that form, along the steps of a path."""
        if not steps:
            self.kinds.add(kind)
            self.forms |= {kind, form} & SHAPES.keys()
            return
        (step, value), rest = steps[0], steps[1:]
        if step == "text":
            self.in_text = True
            self.add(rest, kind, form)
        elif step == "key":
            self.keys.add(value)
        else:
            self.members.setdefault(value, Node()).add(rest, kind, form)

    def kept(self, value: object) -> object:
        """Return what is kept of a value; None for nothing."""
        if self.in_text and isinstance(value, str):
            inner = self.kept(parsed(value))
            return None if inner is None else json.dumps(inner)
        shapes = (SHAPES[form](value) for form in self.forms)
        if (shape := next((one for one in shapes if one is not None), None)) is not None:
            return shape
        if isinstance(value, dict):
            found = {name: node.kept(value[name]) for name, node in self.members.items()
                     if name in value}  # fmt: skip
            return {name: part for name, part in found.items() if part is not None}
        if isinstance(value, list):
            return self._items(value)
        if not self.kinds or (isinstance(value, str) and len(value) > MAX_TEXT):
            return None
        return value

    def _items(self, items: list[Any]) -> list[Any] | None:
        if self.keys:
            pairs = [item for item in items if isinstance(item, dict)]
            return [
                pair
                for pair in pairs
                if pair.get("key") in self.keys and len(json.dumps(pair)) <= 4 * MAX_TEXT
            ]
        if "[]" in self.members:
            return [self.members["[]"].kept(item) for item in items]
        return None


def steps_of(path: str) -> list[tuple[str, str]]:
    """The steps of a path: a name, an item, an attribute, or JSON in a text."""
    steps = []
    for quoted, name, item, key, hop in STEP.findall(path):
        if quoted or name:
            steps.append(("name", quoted or name))
        elif key:
            steps.append(("key", key))
        elif hop:
            steps.append(("text", ""))
        else:
            steps.append(("name", "[]") if item in {"", "0"} else ("name", f"[{item}]"))
    return steps


def _is_short(value: object) -> bool:
    return value is None or isinstance(value, int | float) or _is_word(value)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _labels(value: object) -> object:
    """The short members of an object."""
    if not isinstance(value, dict):
        return None
    return {name: one for name, one in value.items() if _is_short(one)}


def _first_text(value: object) -> object:
    """The first member of an object, where it is a text."""
    first = next(iter(value.items()), ("", None)) if isinstance(value, dict) else ("", None)
    return dict([first]) if _is_word(first[1]) else None


def _first_key(value: object) -> object:
    """The name of the first member of an object."""
    return {next(iter(value)): {}} if isinstance(value, dict) and value else None


def _only_key(value: object) -> object:
    """The name of the one member of an object, which holds a plain object."""
    inner = list(value.values()) if isinstance(value, dict) else []
    is_plain = len(inner) == 1 and isinstance(inner[0], dict)
    return _first_key(value) if is_plain and all(map(_is_short, inner[0].values())) else None


def _date(value: object) -> object:
    """A time as MongoDB writes it."""
    is_date = isinstance(value, dict) and value.keys() == {"$date"} and _is_word(value["$date"])
    return value if is_date else None


def _words(value: object) -> object:
    """The short texts of a list."""
    return [item for item in value if _is_word(item)] if isinstance(value, list) else None


def _first_stop(value: object) -> object:
    """The first stop word in the chunks of a stream."""
    found = STOP.search(json.dumps(value)) if isinstance(value, list) else None
    return [{found[1]: found[2]}] if found else None


def _length(value: object) -> object:
    """How long the blocks of an answer are, and the ceiling that Claude Code says was exceeded."""
    if not isinstance(value, list):
        return None
    blocks = [block for block in value if isinstance(block, dict)]
    texts = [block[name] for block in blocks for name in ("text", "thinking")
             if isinstance(block.get(name), str)]  # fmt: skip
    asked = [json.dumps(block["input"], ensure_ascii=False, separators=(",", ":"))
             for block in blocks if block.get("input") is not None]  # fmt: skip
    said = next((found[0] for text in texts if (found := MAXIMUM.search(text))), "")
    return [{"text": said.ljust(sum(map(len, texts + asked)), ".")}]


# what is kept of an object or a list that a type or a form reads as one value
SHAPES = {
    "chunks_stop": _first_stop,
    "first_text": _first_text,
    "labels": _labels,
    "moment": _date,
    "only_key": _only_key,
    "stop_words": _words,
    "text_list": _words,
    "visible_characters": _length,
    "word_or_key": _first_key,
}
