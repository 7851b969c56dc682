"""A coefficients file as its rows by key, and how two of them differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenest_py.runtime.table import parse
from tokenest_py.runtime.table.file import decode, read
from tokenest_py.runtime.table.kinds import CONSTANTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Row = dict[str, Any]
    Key = tuple[object, ...]

__all__ = ["Change", "Table", "changes", "label_text", "read_table", "stamped", "table_of"]

# What tells one row from another; the label of a budget is what it says, not what it is about.
KEY_COLUMNS = (
    "kind", "position", "name", "category", "complexity", "labels", "model", "input_bin",
    "max_truncation", "label",
)  # fmt: skip
CELL_COLUMNS = ("category", "complexity", "model", "input_bin")


@dataclass(frozen=True, slots=True)
class Table:
    """A checked coefficients file: its id, its bytes, and its rows by key."""

    coefficients_id: str
    data: bytes
    rows: dict[Key, Row]

    def rates(self) -> set[float]:
        """The rates of truncation that it has budgets for."""
        return {row["max_truncation"] for row in self.rows.values() if row["kind"] == "budget"}

    def cells(self) -> set[Key]:
        """What it has budgets or a multiplier for: kind, labels, model and size of input."""
        return {
            (row["kind"], *_cell(row))
            for row in self.rows.values()
            if row["kind"] in {"budget", "multiplier"}
        }

    def rules(self) -> dict[Key, Row]:
        """The rows that nobody measured."""
        return {key: row for key, row in self.rows.items() if not _is_measured(row)}

    def measured(self) -> list[Row]:
        """The rows that come from calls."""
        return [row for row in self.rows.values() if _is_measured(row)]

    def of_all_calls(self, rate: float) -> Row | None:
        """The budget of all calls together for a rate, or None."""
        found = [
            row
            for row in self.rows.values()
            if row["kind"] == "budget" and not any(_cell(row)) and row["max_truncation"] <= rate
        ]
        return max(found, key=lambda row: row["max_truncation"], default=None)


@dataclass(frozen=True, slots=True)
class Change:
    """One row that differs: `action` is add, remove or change."""

    action: str
    key: dict[str, Any]
    current: Row | None
    proposed: Row | None

    @property
    def name(self) -> str:
        """The key in one line."""
        return " / ".join(str(part) for part in self.key.values())

    @property
    def factor(self) -> float | None:
        """Proposed value / current value; None where there are not both, or from 0."""
        if self.current is None or self.proposed is None or not self.current.get("value"):
            return None
        return float(self.proposed["value"]) / float(self.current["value"])


def read_table(path: Path | str) -> Table:
    """The file, checked as the runtime checks it; raises CoefficientsError."""
    return table_of(read(str(path)), str(path))


def table_of(data: bytes, path: str) -> Table:
    """The table of a file's bytes; `path` is for the messages only."""
    parse(data, path)  # also what rows say of each other, as the runtime checks it
    identity, _, rows = decode(data, path, check_hash=True)
    return Table(identity, data, {_key(row): row for row in rows})


def stamped(table: Table, provenance: Mapping[str, str]) -> Table:
    """The same rows under a header that says where they come from."""
    first, _, body = table.data.partition(b"\n")
    header = json.loads(first) | {"provenance": dict(provenance)}
    line = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return table_of(line + b"\n" + body, table.coefficients_id)


def changes(current: Table, proposed: Table) -> list[Change]:
    """The rows that differ, in the order of the files."""
    found = []
    for key in sorted(current.rows.keys() | proposed.rows.keys(), key=_order):
        old, new = current.rows.get(key), proposed.rows.get(key)
        if old == new:
            continue
        action = "add" if old is None else "remove" if new is None else "change"
        named = {
            name: part for name, part in zip(KEY_COLUMNS, key, strict=True) if part is not None
        }
        found.append(Change(action, named, old, new))
    return found


def label_text(labels: dict[str, str] | str | None) -> str | None:
    """The labels of a budget as one text, whoever wrote them; None where a row has none."""
    given = json.loads(labels) if isinstance(labels, str) else labels
    return json.dumps(given, ensure_ascii=False, sort_keys=True) if given else None


def _is_measured(row: Row) -> bool:
    """Whether a row comes from calls, or from the vars that what was learned is used with.

    It has an n, or is one of those that never have: the database says what they are.
    """
    is_of_vars = row["kind"] == "constant" and row["name"] not in CONSTANTS
    return "n" in row or row["kind"] == "answer_length" or is_of_vars


def _cell(row: Row) -> Key:
    """What tells the cell of a calibrated row from others; nothing but None is all calls."""
    return (label_text(row.get("labels")), *map(row.get, CELL_COLUMNS))


def _key(row: Row) -> Key:
    found = row | {"labels": label_text(row.get("labels"))}
    if row["kind"] == "budget":
        del found["label"]
    return tuple(map(found.get, KEY_COLUMNS))


def _order(key: Key) -> tuple[tuple[bool, Any], ...]:
    return tuple((part is not None, part if part is not None else 0) for part in key)
