"""Which source a record is of, and what its field map names.

Both are read from the project: `recognised_by` in the yml of a source's lines, `each` in its SQL,
and the paths of its fields.csv.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.importing.cells import parsed, typed
from tokenest_py.pipeline.importing.kept import Node, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Source", "at", "of_one", "read_sources", "sources"]

Record = dict[str, Any]

NAME = re.compile(r'"([^"]+)"|([^."]+)')  # one with dots stands in quotes


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
                inner[name] = typed(value, node)
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
                    tree.add(steps_of(whole), row["type"], row.get("form", ""))
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
            name: parsed(value) if isinstance(value, str) and value.startswith("{") else value
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
