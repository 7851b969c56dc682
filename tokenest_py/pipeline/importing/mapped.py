"""Which source a record is of, and what of it is kept: the members that its field map names.

Both are read from the project: `recognised_by` in the yml of a source's lines, `each` in its SQL,
and the paths of its fields.csv. A text is kept only where a field map leads to it, so that nothing
of a prompt or an answer gets into what is written.
"""

from __future__ import annotations

import ast
import csv
import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tokenest_py.runtime.recorder.record import MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Source", "at", "of_one", "of_portal", "of_python", "read_sources", "sources"]

Record = dict[str, Any]

# the steps of a path, as macros/record/paths.sql has them
STEP = re.compile(r'"([^"]+)"|([A-Za-z0-9_$-]+)|\[([0-9]*)\]|\{([^}]+)\}|(>)')
NAME = re.compile(r'"([^"]+)"|([^."]+)')  # one with dots stands in quotes
WHOLE = re.compile(r"-?([0-9]{1,300}|[0-9]{1,3}(,[0-9]{3}){1,99})(\.0+)?")  # a float holds no more
NUMBER = re.compile(r"-?([0-9]{1,200}\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,2})?")
OFFSET = re.compile(r"^(20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d)$")
STOP = re.compile(r'"((?:stop|finish|completion)_?[rR]eason)": "([^"\\]{1,200})"')
MAXIMUM = re.compile(r"exceeded the [0-9]+ output token maximum")
TRUE, FALSE = {"true", "t", "1"}, {"false", "f", "0"}


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
            inner = self.kept(_parsed(value))
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


@dataclass(frozen=True)
class Source:
    """One log format of the project.

    Attributes:
        name: The word of var sources.
        ways: The alternatives of `recognised_by` that are about members.
        each: Where the records of a line stand, as its SQL says.
        fields: The rows of its fields.csv.
        envelopes: By name, the members that may be one (`names`) and what one holds (`holds`).
        yields: It takes what no other source recognises.
    """

    name: str
    ways: tuple[Mapping[str, Any], ...]
    each: tuple[str, ...]
    fields: tuple[Mapping[str, str], ...]
    envelopes: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    yields: bool = False

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Whether a record looks like one of this source."""
        return any(self._fits(way, record) for way in self.ways)

    def knows_column(self, name: str) -> bool:
        """Whether anything of a column of that name would be kept."""
        return name.partition(".")[0] in self._tree.members or name in self._named

    def kept(self, record: Record) -> Record:
        """Return the record with its mapped members alone, and those that recognise it."""
        closed = {
            name
            for envelope in self.envelopes.values()
            for name in set(envelope["names"]) - self._opened(envelope, record)
            if isinstance(record.get(name), dict | str)
        }
        found = self._tree.kept({name: record[name] for name in record.keys() - closed})
        kept: Record = found if isinstance(found, dict) else {}
        for name in closed & self._own.members.keys():
            if beside := self._own.members[name].kept(record[name]):
                kept[name] = beside
        for name in self._named & record.keys() - kept.keys():
            value = record[name]
            is_short = isinstance(value, (int, float)) or (value is None) or value == ""
            kept[name] = value if is_short else None
        for way in self.ways:  # a build recognises what was kept by the same words
            for name, words in way.get("words", {}).items():
                if record.get(name) in words:
                    kept[name] = record[name]
        return {name: kept[name] for name in record if name in kept}

    def typed(self, row: Mapping[str, Any]) -> Record:
        """Return a row of a table as a record: dots in names lead inwards, texts are typed."""
        record: Record = {}
        for column, value in row.items():
            (*above, name), node = self._place(column)
            inner: object = record
            for step in above:
                inner = inner.setdefault(step, {}) if isinstance(inner, dict) else None
            if isinstance(inner, dict) and not (above and value in (None, "")):
                inner[name] = _typed(value, node)
        return record

    def _place(self, column: str) -> tuple[list[str], Node | None]:
        """The names that a column's name leads along, as far as field maps go, and its node."""
        names: list[str] = []
        node, rest = self._tree, column
        while rest not in node.members:
            head, _, behind = rest.partition(".")
            if not behind or head not in node.members:
                return [*names, rest], None
            names.append(head)
            node, rest = node.members[head], behind
        return [*names, rest], node.members[rest]

    def parts(self, record: Record, most: int) -> list[Record]:
        """Return the record, or one an item of the list that holds its records, if it is long."""
        name = next(
            (each.partition("[]")[0] for each in self.each if each[:1] not in {"[", ""}), ""
        )
        items = record.get(name)
        if not isinstance(items, list) or len(items) < 2 or len(json.dumps(record)) <= most:
            return [record]
        return [{**record, name: [item]} for item in items]

    @cached_property
    def said_above(self) -> list[str]:
        """The members that an object around a call may have: its time, its run and its group."""
        return [
            row["path"].strip('"')
            for row in self.fields
            if row["field"] in {"occurred_at", "run_id", "category"}
            and re.fullmatch(r'"[^"]+"|\w+', row["path"])
        ]

    @cached_property
    def _tree(self) -> Node:
        return self._grown(self.fields)

    @cached_property
    def _own(self) -> Node:
        """What is kept of a member that is called as an envelope is, and is none."""
        return self._grown([row for row in self.fields if ">" not in row["path"]])

    def _grown(self, fields: Iterable[Mapping[str, str]]) -> Node:
        tree = Node()
        nested = [each.strip(".") for each in self.each if each not in {"[]", "data[]"}]
        for row in fields:
            for path in row["path"].split(" + "):
                for whole in [path[1:]] if path.startswith("/") else [
                    f"{prefix}.{place}" if prefix else place
                    for prefix in ["", *nested] for place in self._places(path)
                ] if path else []:  # fmt: skip
                    tree.add(_steps(whole), row["type"], row.get("form", ""))
        return tree

    def _places(self, path: str) -> list[str]:
        """A path, or one for each member that may be the envelope that it leads into."""
        name, hop, inner = path.partition(">")
        names = self.envelopes[name]["names"] if name in self.envelopes else [name]
        return [f"{name}{hop}{inner}" for name in names]

    @cached_property
    def _named(self) -> set[str]:
        return {
            key
            for way in self.ways
            for keys in (way.get("keys", []), *way.get("one_of", []))
            for key in keys
            if "." not in key
        }

    @staticmethod
    def _opened(envelope: Mapping[str, Sequence[str]], record: Mapping[str, Any]) -> set[str]:
        """The members of a record that are one: as an object, or as the text of one."""
        values = {name: record.get(name) for name in envelope["names"]}
        opened = {
            name: _parsed(value) if isinstance(value, str) and value.startswith("{") else value
            for name, value in values.items()
        }
        return {name for name, value in opened.items() if _holds_one(value, envelope["holds"])}

    def _fits(self, way: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
        return bool(
            all(_has(record, key) for key in way.get("keys", []))
            and all(_holds_one(record, keys) for keys in way.get("one_of", []))
            and ("envelope" not in way or self._opened(self.envelopes[way["envelope"]], record))
            and not any(_has(record, key) for key in way.get("without", []))
            and all(str(at(record, key)) in words for key, words in way.get("words", {}).items())
        )  # fmt: skip


def sources(project: Path) -> list[str]:
    """The words of the log formats that the project reads, in its order."""
    import yaml

    settings = yaml.safe_load((project / "dbt_project.yml").read_text(encoding="utf-8"))
    return list(settings["vars"]["sources"])


def read_sources(project: Path, names: Iterable[str]) -> list[Source]:
    """Return the sources of a project, in the order of their names."""
    import yaml

    found = []
    for name in names:
        folder = project / "models" / "staging" / name
        models = yaml.safe_load((folder / f"_{name}__models.yml").read_text(encoding="utf-8"))
        [lines] = [m for m in models["models"] if m["name"] == f"base_{name}__lines"]
        meta = lines["config"]["meta"]
        ways = [way for way in meta["recognised_by"] if "text" not in way]
        sql = (folder / f"base_{name}__lines.sql").read_text(encoding="utf-8")
        each = re.search(r"each=\[([^\n]*)\],", sql)
        with (folder / "fields.csv").open(encoding="utf-8", newline="") as file:
            fields = tuple(csv.DictReader(file))
        found.append(
            Source(
                name,
                tuple(ways),
                tuple(re.findall(r"'([^']+)'", each[1] if each else "")),
                fields,
                meta.get("envelopes", {}),
                meta.get("yields", False),
            )
        )
    return found


def of_one(fitting: Sequence[Source]) -> Source | None:
    """The one of the sources that recognise something; one that yields where no other does."""
    found = [source for source in fitting if not source.yields] or fitting
    return found[0] if len(found) == 1 else None


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


def _steps(path: str) -> list[tuple[str, str]]:
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


def _has(record: Mapping[str, Any], key: str) -> bool:
    """A member is there with any value; one within another with a value that is not null."""
    return at(record, key) is not None if "." in key else key in record


def _holds_one(record: object, paths: Iterable[str]) -> bool:
    """One of the paths leads to a value that is not null."""
    return any(at(record, path) is not None for path in paths)


def at(record: object, path: str) -> object:
    """The value that a path of names leads to, `[0]` to the first item; None where nothing is."""
    for quoted, name in NAME.findall(path):
        if not isinstance(record, dict):
            return None
        record = record.get(quoted or name.removesuffix("[0]"))
        if name.endswith("[0]"):
            record = record[0] if isinstance(record, list) and record else None
    return record


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return of_python(text)


def of_python(text: str) -> object:
    """What Python's `repr` of an object says, which a data frame writes into a table."""
    try:
        return ast.literal_eval(text) if text.startswith(("{'", "[{'")) else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _of_json(value: object) -> object:
    """Return a cell as JSON has it: what is no number there is nothing, the rest is text."""
    if isinstance(value, Decimal):
        is_whole = value.is_finite() and value == value.to_integral_value()
        value = int(value) if is_whole else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_of_json(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _of_json(item) for name, item in value.items()}
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return f"{value.isoformat()}Z"
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value if isinstance(value, str | int | None) else str(value)


def _typed(value: object, node: Node | None) -> object:
    """Return a cell of a table as its field map means it."""
    value = _of_json(value)
    if value == "" or node is None:
        return None if value == "" else value
    is_json = isinstance(value, str) and value[:1] in {"{", "["}
    if is_json and not node.in_text and (node.members or node.kinds & {"text_list", "labels"}):
        return _parsed(str(value))
    if node.kinds == {"whole"} and isinstance(value, (str, float)):
        text = str(value)
        return int(float(text.replace(",", ""))) if WHOLE.fullmatch(text) else value
    if node.kinds == {"number"} and isinstance(value, str):
        return float(value) if NUMBER.fullmatch(value) else value
    if node.kinds == {"flag"} and not isinstance(value, bool):
        word = str(value).lower()
        return word in TRUE if word in TRUE | FALSE else value
    if node.kinds & {"text", "label", "word"} and isinstance(value, (int, float)):
        return str(value)
    if "time" in node.kinds and isinstance(value, str):
        return OFFSET.sub(r"\1\2:00", str(of_portal(value)))
    return value


def of_portal(text: object) -> object:
    """A time such as `6/1/2026, 8:00:00.123 AM`, of Azure's portal, as all write it."""
    moment, _, half = str(text).rpartition(" ")
    whole, dot, fraction = moment.partition(".")
    try:
        time = datetime.strptime(f"{whole} {half} +0000", "%m/%d/%Y, %I:%M:%S %p %z")
    except ValueError:
        return text
    return f"{time:%Y-%m-%dT%H:%M:%S}{dot}{fraction}Z"
