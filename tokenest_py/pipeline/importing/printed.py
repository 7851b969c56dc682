"""Calls in the text of a log: lines of `key=value`, and objects as Python and Ruby print them."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.importing.cells import of_python

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pairs", "printed_around", "time_of"]

Record = dict[str, Any]

PAIR = re.compile(
    r"""(?:(?<![^\s,;(\[{])([A-Za-z_@][\w.@-]*)=|(?<![^\s,;:(])(?={'|{"[^"\\]*"\s*=>))"""
    r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|{(?=["'])|[^\s,;"'()\[\]{}]*)"""
)
OPENED = re.compile(r"""[={]["']""")  # a text or an object
PART = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[{}\[\]]""")
OF_RUBY = re.compile(r"""("(?:[^"\\]|\\.)*")|\s*=>\s*|\bnil\b""")
MEMBER = re.compile(r"<\w+\.(\w+): [^<>]*>")  # of an enumeration
NOTHING = {"", "None", "null"}
WHOLE = re.compile(r"-?[0-9]{1,18}")
TIME = re.compile(  # as shipped.sql has it
    r"[^{]{0,80}?([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]{8,}(?:Z|[+-][0-9]{2}:?[0-9]{2})?)"
)


def pairs(line: str) -> Record:
    """The pairs of a line of `key=value`, as Python also prints an answer; {} for another line.

    Or the object that Python or Ruby printed there; each with the time that the line begins with.
    """
    line = MEMBER.sub(r"'\1'", line)
    record: Record = {}
    for name, value, _, _ in _printed(line):
        if not name:
            record = value
            break
        if name == "finish_reason" and name in record:
            return {}  # of several choices, which share one count
        if value is not None and str(value) not in NOTHING:
            record.setdefault(name, value)
    if len(record) < 2:
        return {}
    time = time_of(line.partition("=")[0])
    record = _of_gemini(record)
    return {"@timestamp": time, **record} if time else record


def printed_around(line: str, place: int) -> Record:
    """The pairs of a line that count tokens and of which one has that place within its value."""
    if not OPENED.search(line, 0, place):
        return {}
    until = takewhile(lambda one: one[2] < place, _printed(line))  # JSON behind it may be long
    found = pairs(line) if any(place < end for *_, end in until) else {}
    return found if _counts(found) else {}


def _counts(value: object) -> bool:
    return isinstance(value, dict) and any(
        "token" in str(name).lower() or _counts(inner) for name, inner in value.items()
    )


def _printed(line: str) -> Iterator[tuple[str | None, Any, int, int]]:
    """Each value of a line with its name, and from where to where it stands."""
    end = 0
    while found := PAIR.search(line, end):
        (name, text), (begin, end) = found.groups(), found.span(2)
        value: Any = text[1:-1] if text[:1] in {'"', "'"} else text
        if text == "{":
            end = _end_of(line, begin)
            value = _of_program(line[begin:end])
        elif WHOLE.fullmatch(value):
            value = int(value)
        if name or isinstance(value, dict):
            yield name, value, begin, end
        end = max(end, found.end(), found.start() + 1)


def _end_of(line: str, begin: int) -> int:
    """Where the object ends that begins there; the end of the line where it does not."""
    depth = 0
    for part in PART.finditer(line, begin):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(part[0], 0)
        if not depth:
            return part.end()
    return len(line)


def _of_program(text: str) -> object:
    """The object of a text of Python, of JSON, or of Ruby; None for another text."""
    if text.startswith("{'"):
        return of_python(text)
    for json_text in (
        text,
        OF_RUBY.sub(lambda m: m[1] or (": " if "=>" in m[0] else "null"), text),
    ):
        with suppress(ValueError, RecursionError):
            return json.loads(json_text)
    return None


def _of_gemini(record: Record) -> Record:
    """The pairs of an answer of Gemini's, whose counts and stop word stand in objects."""
    if not record.keys() & {"candidates_token_count", "thoughts_token_count"}:
        return record
    candidates = [{"finish_reason": record.pop("finish_reason", None)}]
    return {**record, "candidates": candidates, "usage_metadata": dict(record)}


def time_of(text: str) -> str | None:
    """The time in the text that a line of a log begins with."""
    begin = TIME.match(text)
    return begin[1] if begin else None
