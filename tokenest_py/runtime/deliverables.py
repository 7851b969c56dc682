"""What a caller hands over as deliverables, and what each of them says: path, class, action.

The readings are plain enough to be executed in SQL too (the replay does): ASCII letters alone are
lowered, and each text is read by itself. Texts with spaces are read in phrases.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from tokenest_py.errors import TokenestError
from tokenest_py.runtime.text import MAX_TEXT, ascii_lower, clean_path, has_extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenest_py.runtime.phrases import PhraseReader
    from tokenest_py.runtime.table import Coefficients

MAX_VALUES = 100_000  # that are walked

_TO_SPACE = str.maketrans("\t\r\n", "   ")


class Deliverable(NamedTuple):
    """One deliverable as it was read.

    `text` is what the caller gave, `path` the path in it, `name` its class, `action` "new",
    "modified" or "" when the text does not say. `has_extension` and `has_action` raise the
    confidence.
    """

    text: str
    path: str
    name: str
    action: str
    has_extension: bool
    has_action: bool


def normalize(deliverables: object) -> list[tuple[str, str | None]]:
    """Every deliverable as (text, None), or as (path, action) where it came as {path, action}.

    Accepts None, a text, anything nested in mappings and iterables, and objects or mappings with
    `path` and `action`. Other keys are discarded, other scalars become their text, empty texts
    are dropped. A set is walked in sorted order, so that the result does not vary, and what
    contains itself is walked once.

    Raises TokenestError when there are more than MAX_VALUES: an endless generator, or nesting
    that multiplies.
    """
    if (type(deliverables) is list or type(deliverables) is tuple) and set(
        map(type, deliverables)
    ) == {str}:  # most often
        return [(text, None) for text in map(str.strip, deliverables) if text]
    found: list[tuple[str, str | None]] = []
    walked: list[tuple[object, Iterator[object]]] = [(None, iter((deliverables,)))]
    inside = {id(None)}  # what is being walked, and None
    values = 0
    while walked:
        container, members = walked[-1]
        for member in members:
            values += 1
            if values > MAX_VALUES:
                raise TokenestError(f"deliverables hold more than {MAX_VALUES} values; pass paths")
            if type(member) is str:
                text, action = member, None
            elif id(member) in inside:
                continue
            elif (read := _read(member)) is not None:
                text, action = read
            else:
                inside.add(id(member))
                walked.append((member, iter(_members(member))))
                break
            text = text.strip()
            if text:
                found.append((text, action))
        else:
            walked.pop()
            inside.discard(id(container))
    return found


def _read(value: object) -> tuple[str, str | None] | None:
    """The deliverable that a value is, or None where it holds others."""
    if isinstance(value, str):
        return str.__str__(value), None
    if type(value) is list or type(value) is tuple:
        return None
    if isinstance(value, os.PathLike):
        return os.fsdecode(value), None
    path = _member(value, "path")
    if isinstance(path, os.PathLike):
        path = os.fsdecode(path)
    if isinstance(path, str):
        action = _member(value, "action")
        return path, action if isinstance(action, str) else ""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace"), None
    return None if isinstance(value, Iterable) else (str(value), None)


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _members(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return value if isinstance(value, Iterable) else ()


class ClassRule:
    """Neighbouring class rules of one class, put together so that they are tested at once."""

    def __init__(self, name: str, rules: list[tuple[str, str]]) -> None:
        """Sort (method, label) pairs by method."""
        labels: dict[str, list[str]] = {}
        for method, label in rules:
            labels.setdefault(method, []).append(label)
        self.name = name
        self._any = "any" in labels
        self._prefixes = tuple(labels.get("prefix", ()))
        self._suffixes = tuple(labels.get("suffix", ()))
        self._cased_suffixes = tuple(labels.get("suffix_cased", ()))
        self._parts = tuple(labels.get("contains", ()))
        self._base_prefixes = tuple(labels.get("basename_prefix", ()))
        self._bases = frozenset(labels.get("basename", ()))
        self._categories = frozenset(labels.get("category", ()))

    def matches(self, path: str, lower: str, base: str, category: str) -> bool:
        """Whether a rule of the class matches a path, given also lowered, and its base name."""
        return (
            self._any
            or lower.endswith(self._suffixes)
            or lower.startswith(self._prefixes)
            or base.startswith(self._base_prefixes)
            or path.endswith(self._cased_suffixes)
            or base in self._bases
            or category in self._categories
            or any(part in lower for part in self._parts)
        )


class Reader:
    """Reads deliverables by the rules of one table of coefficients."""

    def __init__(self, coefficients: Coefficients) -> None:
        """Compile the class rules and the action words."""
        self._actions = coefficients.action_words
        self._phrases: PhraseReader | None = None
        self.class_categories = frozenset(
            label for _, method, label in coefficients.classes.values() if method == "category"
        )
        ordered = [rule for _, rule in sorted(coefficients.classes.items())]
        self.rules = [
            ClassRule(name, [(method, label) for _, method, label in rules])
            for name, rules in groupby(ordered, itemgetter(0))
        ]
        self._by_extension: dict[str, str] = {}
        self._default = ""
        special = []
        for name, method, label in ordered:
            if method == "any":
                self._default = self._default or name
            elif method == "suffix" and label[0] == "." and not {".", "/"} & set(label[1:]):
                if not self._default:
                    self._by_extension.setdefault(label[1:], name)
            else:
                special.append((method, label))
        self._special = ClassRule("", special)

    def read(self, text: str, action: str | None, category: str) -> Deliverable:
        """One deliverable; `action` None means that the text itself may say it."""
        if action is None:
            path, action = self._read_text(text)
        else:
            path = clean_path(text)
            action = self._actions.get(ascii_lower(action.strip()), "")
            text = f"{action} {text}".strip()  # as a record keeps it, so that it replays
        name = self.classify(path, category)
        return Deliverable(text, path, name, action, has_extension(path), action != "")

    def classify(self, path: str, category: str) -> str:
        """The class of a path in a call of this category: that of the first rule that matches.

        Unless a rule about more than the extension matches, one look-up by the extension does.
        """
        lower = ascii_lower(path)
        base = lower.rpartition("/")[2]
        if not self._special.matches(path, lower, base, category):
            _, dot, extension = lower.rpartition(".")
            return self._by_extension.get(extension, self._default) if dot else self._default
        for rule in self.rules:
            if rule.matches(path, lower, base, category):
                return rule.name
        return ""

    def _read_text(self, text: str) -> tuple[str, str]:
        """The path in a text, and the action that a word outside the path says."""
        phrase = text[:MAX_TEXT]
        if not phrase.isprintable():  # as a tab is not
            phrase = phrase.translate(_TO_SPACE)
        phrase = phrase.replace("\\", "/").strip(" ")
        if " " not in phrase:
            return clean_path(phrase), ""
        if self._phrases is None:
            from tokenest_py.runtime.phrases import (
                PhraseReader,  # six expressions: not before one is needed
            )

            self._phrases = PhraseReader(self._actions)
        path, action = self._phrases.read(phrase)
        return clean_path(path), action
