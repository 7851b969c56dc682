"""One import: the tables of a file, each as lines of the source that knows it."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import TokenestError
from tokenest_py.pipeline.importing import origin
from tokenest_py.pipeline.importing.containers import tables_of
from tokenest_py.pipeline.importing.mapped import of_one
from tokenest_py.pipeline.importing.reshaped import Reshaping, folded
from tokenest_py.pipeline.importing.streamed import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tokenest_py.pipeline.importing.containers import Table
    from tokenest_py.pipeline.importing.mapped import Source
    from tokenest_py.pipeline.importing.shipped import Shippers

__all__ = ["Imported", "import_file"]

Record = dict[str, Any]

PIECE = 1 << 20
MOST_BYTES = 1 << 18  # of a line, where it can be several
UNFINISHED = "a stream without its usage or its end, or several at once that say no id"
HEAD_ROWS = 50  # that are looked at where the columns do not tell
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(slots=True)
class Imported:
    """What became of one file.

    Attributes:
        path: The file.
        written: Lines by the file that has them now, and had not before.
        lines: Lines by source.
        left_out: Rows by why they were left out.
        said: What else there is to say.
    """

    path: Path
    written: dict[Path, int] = field(default_factory=dict)
    lines: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)


def import_file(
    path: Path,
    folder: Path,
    sources: Sequence[Source],
    shippers: Shippers,
    tick: Callable[[], None],
) -> Imported:
    """Write the calls of a file as lines below the folder, a file a source and table.

    A file that was imported before is written again only where its lines have changed, and then it
    grows, or gets another one beside it: what may have landed is never changed.

    Args:
        path: JSON, CSV, Parquet, SQLite, zip or tar.
        folder: The telemetry folder.
        sources: The log formats that may recognise a row.
        shippers: Where a log shipper may have put the record of a row.
        tick: Called with each row.

    Raises:
        TokenestError: The file cannot be read, or the folder cannot be written to.
    """
    done = Imported(path)
    with tables_of(path) as tables:
        for table in tables:
            if table.name == origin.TOTALS:
                done.said += origin.totals(table.rows(None))
            else:
                _import_table(table, done, folder, sources, shippers, tick)
    return done


def _import_table(
    table: Table,
    done: Imported,
    folder: Path,
    sources: Sequence[Source],
    shippers: Shippers,
    tick: Callable[[], None],
) -> None:
    name = f"{done.path.name}: {table.name}" if table.name else done.path.name
    writers: dict[str, Lines] = {}
    try:
        for source, line in _lines(table, done, name, sources, shippers, tick):
            if source not in writers:
                writers[source] = Lines(folder, source, done.path, table.name)
            writers[source].write(f"{line}\n")
        for source, lines in writers.items():
            target = lines.end()
            done.lines[source] += lines.count
            if target is not None:
                done.written[target] = lines.count
    except OSError as error:
        reason = f"{folder} cannot be written to: {error.strerror}; choose another --into"
        raise TokenestError(reason) from error
    except ValueError as error:
        raise TokenestError(f"{done.path} cannot be read: {error}") from error
    finally:
        for lines in writers.values():
            lines.abandon()


def _lines(
    table: Table,
    done: Imported,
    name: str,
    sources: Sequence[Source],
    shippers: Shippers,
    tick: Callable[[], None],
) -> Iterator[tuple[str, str]]:
    """Yield the word of its source with each line, which says where it is from."""
    records = _records(table, done, name, sources, shippers)
    for number, (source, record) in enumerate(records, start=1):
        tick()
        if source is None:
            continue
        record["imported_from"] = {"file": done.path.name, "row": number}
        if table.name:
            record["imported_from"]["table"] = table.name
        try:
            line = _to_json(record)
        except ValueError:
            done.left_out[f"{name}: a number is too large"] += 1
            continue
        yield source, line


def _records(
    table: Table, done: Imported, name: str, sources: Sequence[Source], shippers: Shippers
) -> Iterator[tuple[str | None, Record]]:
    """Yield each row with the word of its source, None where it is left out."""
    if table.name == origin.EVENTS:
        for row in table.rows(None):
            yield "origin", origin.event(row)
        return
    written: Iterable[Record] = (
        _inward(row, sources) for row in _written(table.rows(None), shippers)
    )
    if table.columns:
        known, written = _known_table(table, sources, shippers)
        if known is not None:
            for row in written:
                yield known.name, known.kept(known.typed(row))
            return
    streams = Streams()
    rows = streams.joined(written)
    head = list(islice(rows, HEAD_ROWS))
    names = {name for source in sources if source.yields for name in source.said_above}
    looks = Reshaping(lambda record: of_one(_fitting(record, sources)) is not None, names)
    if table.columns and not any(looks.records(row) for row in head):
        done.left_out[f"{name}: no source knows its columns"] += 1
        return
    is_known = any(_fitting(row, sources) for row in head)  # then what is within others sums up
    for row in chain(head, rows):
        fitting = _fitting(row, sources)
        parts = list(_parts([row] if is_known or fitting else looks.records(row), sources))
        yield from parts
        if not parts:
            why = "two sources know it" if fitting else "no source knows it"
            done.left_out[f"{name}: {why}"] += 1
            yield None, {}
    if streams.unfinished:
        done.left_out[f"{name}: {UNFINISHED}"] += streams.unfinished


def _parts(records: Iterable[Record], sources: Sequence[Source]) -> Iterator[tuple[str, Record]]:
    """Yield what is kept of each record that one source knows, with the word of that source."""
    for record in records:
        if known := of_one(_fitting(record, sources)):
            for part in known.parts(known.kept(record), MOST_BYTES):
                yield known.name, part


def _known_table(
    table: Table, sources: Sequence[Source], shippers: Shippers
) -> tuple[Source | None, Iterable[Record]]:
    """The source of a table with columns, and all its rows, of the columns that it knows."""
    if known := _of_columns(table.columns, sources):
        return known, table.rows([name for name in table.columns if known.knows_column(name)])
    rows = table.rows(None)
    if known := _of_columns([folded(name) for name in table.columns], sources):
        return known, map(_respelt, rows)
    head = list(islice(rows, HEAD_ROWS))
    for named in (dict, _respelt):  # a shipper's `message` is `Message` in a spreadsheet
        if known := _of_rows(list(_written(map(named, head), shippers)), sources):
            return known, _written(map(named, chain(head, rows)), shippers)
    return None, _written(chain(head, rows), shippers)


def _respelt(row: Record) -> Record:
    return {folded(name): row[name] for name in row}


def _written(rows: Iterable[Record], shippers: Shippers) -> Iterator[Record]:
    """The rows of a table, without what a log shipper put around them."""
    return chain.from_iterable(map(shippers.as_written, rows))


def _inward(row: Record, sources: Sequence[Source]) -> Record:
    """A row that a data frame wrote: as in a table, dots in its names lead inwards."""
    if not any("." in name for name in row) or _fitting(row, sources):
        return row
    known = _of_rows([row], sources)
    return known.typed(row) if known else row


def _fitting(record: Record, sources: Sequence[Source]) -> list[Source]:
    return [source for source in sources if source.recognises(record)]


def _of_columns(columns: Sequence[str], sources: Sequence[Source]) -> Source | None:
    """The one source that recognises a row of these columns; dots in their names lead inwards."""
    return _of_rows([dict.fromkeys(columns, "?")], sources)


def _of_rows(rows: Sequence[Record], sources: Sequence[Source]) -> Source | None:
    """The one source that recognises one of these rows: a cell may hold a whole answer."""
    return of_one([s for s in sources if any(s.recognises(s.typed(row)) for row in rows)])


class Lines:
    """Lines on their way to a file of the telemetry folder, whole or not at all."""

    def __init__(self, folder: Path, source: str, path: Path, table: str) -> None:
        """Begin a file that nobody reads yet."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = hashlib.sha256(f"{path.absolute()}\0{table}".encode()).hexdigest()[:8]
        self.count = 0
        changed = path.stat().st_mtime_ns  # the time of a call that says none
        self._times = (changed, changed)
        self._folder = folder
        self._stem = f"imported-{source}-{_plain(path.stem)}-{key}"
        self._temporary = folder / f".{self._stem}.{os.getpid()}.tmp"
        self._file = self._temporary.open("w", encoding="ascii")

    def write(self, line: str) -> None:
        """Add a line."""
        self._file.write(line)
        self.count += 1

    def end(self) -> Path | None:
        """Give the file its name and return it; None where the same lines stand there already."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.utime(self._temporary, ns=self._times)
        for number in range(1, 10_000):
            target = self._folder / f"{self._stem}{f'-{number}' if number > 1 else ''}.ndjson"
            if not target.exists() or _begins_with(self._temporary, target):
                is_same = target.exists() and (
                    target.stat().st_size == self._temporary.stat().st_size
                )
                if not is_same:
                    self._temporary.replace(target)
                return None if is_same else target
        raise OSError(28, "too many files of this import")

    def abandon(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):  # the disk is full, as the error says that led here
            self._file.close()
        self._temporary.unlink(missing_ok=True)


def _plain(stem: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in stem)[:60]


def _begins_with(path: Path, start: Path) -> bool:
    """Whether a file begins with all that is in another one."""
    with path.open("rb") as file, start.open("rb") as other:
        while piece := other.read(PIECE):
            if file.read(len(piece)) != piece:
                return False
    return True
