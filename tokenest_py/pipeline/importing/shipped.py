"""What a log shipper wrapped, as the program wrote it: `shipped.sql` does it for a build.

Where a record stands is read from the project: `shippers` in the meta of base_telemetry__files.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.importing.mapped import at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Shippers", "read_shippers"]

Record = dict[str, Any]

TIME = "@timestamp"


@dataclass(frozen=True)
class Shippers:
    """Paths within what a shipper wrote.

    Attributes:
        texts: May hold a record as text.
        objects: May hold one as an object.
        lists: May hold the entries of one answer.
        times: Say when.
        counts: How members are called of which one makes a record of what has it.
    """

    texts: tuple[str, ...]
    objects: tuple[str, ...]
    lists: tuple[str, ...]
    times: tuple[str, ...]
    counts: tuple[str, ...]

    def as_written(self, row: Record) -> list[Record]:
        """The record that a shipper put into a row, or the list of them; else the row."""
        if record := self._record(row):
            return [record]
        lists = (found for path in self.lists if isinstance(found := at(row, path), list))
        return [found for entry in next(lists, []) if (found := self._record(entry))] or [row]

    def _record(self, entry: object) -> Record | None:
        """The record in an entry, or in the entry that this one holds."""
        record = self._within(entry)
        return self._within(record) or record

    def _within(self, entry: object) -> Record | None:
        if not isinstance(entry, dict) or self._counts(entry):
            return None
        record = next(self._candidates(entry), None)
        times = (at(entry, path) for path in self.times)
        time = next((time for time in times if time is not None), None)
        return record if record is None or time is None else {TIME: time, **record}

    def _candidates(self, entry: Record) -> Iterator[Record]:
        for path in self.texts:
            value = at(entry, path)
            if isinstance(value, str) and value.startswith('{"'):
                try:
                    yield json.loads(value)
                except ValueError:
                    continue
        for path in self.objects:
            value = at(entry, path)
            if isinstance(value, dict) and value:
                yield value

    def _counts(self, entry: Record) -> bool:
        return bool(re.search("|".join(self.counts), ",".join(entry), re.IGNORECASE))


def read_shippers(project: Path) -> Shippers:
    """Return what the project knows of them."""
    import yaml

    path = project / "models" / "staging" / "_telemetry__models.yml"
    models = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    [files] = [model for model in models if model["name"] == "base_telemetry__files"]
    return Shippers(
        **{name: tuple(paths) for name, paths in files["config"]["meta"]["shippers"].items()}
    )
