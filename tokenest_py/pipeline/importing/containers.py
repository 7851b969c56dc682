"""Opening what SQL cannot: JSON of any length, CSV, Parquet, SQLite, zip and tar, as tables."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import csv
import gzip
import io
import json
import lzma
import re
import sqlite3
import sys
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any, TextIO, cast

from tokenest_py.errors import TokenestError
from tokenest_py.pipeline import magic
from tokenest_py.pipeline.files import glob_of, kind_of_no_file
from tokenest_py.pipeline.importing.printed import pairs, printed_around, time_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Table", "json_rows", "tables_of"]

Row = dict[str, Any]

PIECE = 1 << 20
_OBJECT = re.compile(r'\{(?=\s*("|$))')
_NOT_BLANK = re.compile(r"\s*")
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)  # NaN is no count
FIELD_BYTES = 1 << 28  # of a cell of CSV: prompts are long
IS_TABLE = re.compile(r"[.][ct]sv([.](gz|bz2|xz))?$", re.IGNORECASE)
PACKED: dict[bytes, Any] = {
    magic.GZIP: gzip.open, magic.BZIP2: bz2.open, magic.XZ: lzma.open,
}  # fmt: skip
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, sqlite3.DatabaseError, csv.Error, EOFError,
           zlib.error, lzma.LZMAError)  # fmt: skip
OF_DYNAMODB = frozenset({"S", "N", "BOOL", "NULL", "M", "L", "SS", "NS", "B"})
OF_MONGODB = frozenset({"$numberInt", "$numberLong", "$numberDouble", "$date"})
NUMBERS = {"N", "$numberInt", "$numberLong", "$numberDouble"}
CODECS = {93: "zstd", 9: "deflate64", 95: "xz", 98: "ppmd"}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one kind.

    Attributes:
        name: Of the table or the member of an archive; empty where the file is one table.
        rows: Reads them, given the columns that are wanted (all without).
        columns: Of a table whose rows have no members within members; empty for JSON.
    """

    name: str
    rows: Callable[[list[str] | None], Iterator[Row]]
    columns: tuple[str, ...] = ()


@contextlib.contextmanager
def tables_of(path: Path) -> Iterator[list[Table]]:
    """Yield the tables of a file.

    Raises:
        TokenestError: It cannot be read, or needs a codec that is not here.
    """
    if kind := kind_of_no_file(path):
        raise TokenestError(f"{path} cannot be read: {kind}; name files, each or by a pattern")
    try:
        with path.open("rb") as file:
            head = file.read(16)
        if head.startswith(magic.SQLITE):
            with contextlib.closing(_sqlite(path)) as connection:
                yield _sqlite_tables(connection)
        elif head.startswith(magic.ZIP):
            with zipfile.ZipFile(path) as archive:
                yield _zip_tables(path, archive)
        elif tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                yield _tar_tables(tar)
        elif head.startswith(magic.PARQUET):
            yield [_parquet(path)]
        elif head.startswith(magic.ZSTD):
            raise TokenestError(
                f"{path} is packed with zstd: a build reads its lines where it lies, within"
                " TOKENEST_TELEMETRY; unpack what is no line of JSON each"
            )
        else:
            with _text(str(path), _unpacked(path, head)) as text:
                is_table = IS_TABLE.search(path.name) is not None
                yield [_csv("", text) if is_table else Table("", lambda _: json_rows(text))]
    except OSError as error:
        raise TokenestError(f"{path} cannot be read: {error.strerror or error}") from error
    except DAMAGED as error:
        raise TokenestError(f"{path} cannot be read: {error}") from error


def _unpacked(path: Path, head: bytes) -> IO[bytes]:
    """A file's bytes, of one packed with gzip, bzip2 or xz those within."""
    unpack = next((unpack for begin, unpack in PACKED.items() if head.startswith(begin)), open)
    return cast("IO[bytes]", unpack(path, "rb"))


def _text(name: str, file: IO[bytes]) -> TextIO:
    """A file's text, in UTF-8 or, where its mark says so, UTF-16.

    A byte that is no text is written as JSON does not allow it: so it costs its line alone.
    """
    head = file.read(16)
    file.seek(0)
    is_utf_16 = head[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    if head[2:4] == b"\0\0" if is_utf_16 else b"\0" in head:
        file.close()
        raise TokenestError(
            f"{name} is no text, and none of the formats of `import`; write it as JSON or CSV"
        )
    encoding = "utf-16" if is_utf_16 else "utf-8-sig"
    return io.TextIOWrapper(file, encoding=encoding, errors="backslashreplace", newline="")


def _sqlite(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    connection.text_factory = lambda cell: cell.decode(errors="backslashreplace")
    return connection


def _sqlite_tables(connection: sqlite3.Connection) -> list[Table]:
    names = [
        name
        for (name,) in connection.execute(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
            " order by name"
        )
    ]
    tables = []
    for name in names:
        quoted = _quoted(name)
        columns = [row["name"] for row in connection.execute(f"pragma table_info({quoted})")]

        def read(wanted: list[str] | None, quoted: str = quoted) -> Iterator[Row]:
            chosen = "*" if wanted is None else ", ".join(map(_quoted, wanted))
            for row in connection.execute(f"select {chosen} from {quoted} order by 1"):
                yield dict(row)

        tables.append(Table(name, read, tuple(columns)))
    return tables


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _zip_tables(path: Path, archive: zipfile.ZipFile) -> list[Table]:
    members = [info for info in archive.infolist() if not info.is_dir()]
    for info in members:
        if info.flag_bits & 1:
            raise TokenestError(f"{path}: {info.filename} has a password; unpack it first")
        if info.compress_type in CODECS:
            raise TokenestError(
                f"{path}: {info.filename} is packed with {CODECS[info.compress_type]}, which Python"
                " cannot unpack; write it as JSON (`inspect log convert --to json`)"
            )
    names = [info.filename for info in members]
    if "header.json" in names:  # a log of Inspect: the header belongs to each sample
        return [_samples(path, archive, sorted(n for n in names if n.startswith("samples/")))]
    return [_member_table(name, partial(archive.open, name)) for name in sorted(names)]


def _tar_tables(tar: tarfile.TarFile) -> list[Table]:
    """The files of an archive, in its own order: it may be packed as a whole."""
    return [
        _member_table(info.name, partial(tar.extractfile, info)) for info in tar if info.isfile()
    ]


def _member_table(name: str, opened: Callable[[], IO[bytes] | None]) -> Table:
    """The table of a member of an archive; of another kind of file one row without members."""

    def read(_: list[str] | None) -> Iterator[Row]:
        with _text(name, cast("IO[bytes]", opened())) as text:
            yield from json_rows(text)

    if name.lower().endswith((".json", ".jsonl", ".ndjson", ".log")):
        return Table(name, read)
    if IS_TABLE.search(name):
        return _csv(name, _text(name, cast("IO[bytes]", opened())))
    return Table(name, lambda _: iter([{}]))


def _samples(path: Path, archive: zipfile.ZipFile, names: list[str]) -> Table:
    header = _member(archive, "header.json")
    if header is None:
        raise TokenestError(f"{path}: header.json is no JSON object; copy the whole log again")

    def read(_: list[str] | None) -> Iterator[Row]:
        for name in names:
            sample = _member(archive, name)
            yield {} if sample is None else {**header, "samples": [sample]}

    return Table("samples", read)


def _member(archive: zipfile.ZipFile, name: str) -> Row | None:
    """The object of a member, None where it is none."""
    try:
        value = json.loads(archive.read(name))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _parquet(path: Path) -> Table:
    import duckdb

    connection = duckdb.connect()
    glob = glob_of(path)
    try:
        columns = tuple(connection.read_parquet(glob).columns)
    except duckdb.Error as error:
        raise TokenestError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error

    def read(wanted: list[str] | None) -> Iterator[Row]:
        names = columns if wanted is None else wanted
        chosen = ", ".join(map(_quoted, names))
        try:
            connection.execute(f"select {chosen} from read_parquet(?)", [glob])
            while row := connection.fetchone():
                yield dict(zip(names, row, strict=True))
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise TokenestError(f"{path} cannot be read: {reason}") from error

    return Table("", read, columns)


def _csv(name: str, text: TextIO) -> Table:
    csv.field_size_limit(min(FIELD_BYTES, sys.maxsize))
    sample = text.readline()
    delimiter = max(",;\t|", key=sample.count)
    header = next(csv.reader([sample], delimiter=delimiter), [])
    header = [column.removesuffix(" [UTC]") for column in header]  # as Azure's portal writes it

    def read(wanted: list[str] | None) -> Iterator[Row]:
        for row in csv.DictReader(text, header, delimiter=delimiter):
            yield {
                column: value
                for column, value in row.items()
                if column is not None and (wanted is None or column in wanted)
            }

    return Table(name, read, tuple(header))


def json_rows(text: TextIO) -> Iterator[Row]:
    """Yield the objects of a text: values one behind the other, lists and `data` item by item.

    What is no JSON costs the rest of its line, or what stands before an object that begins there:
    one row of its pairs of `key=value`, if it has some.
    """
    waiting, at, is_end = "", 0, False
    while True:
        at = _NOT_BLANK.match(waiting, at).end()  # type: ignore[union-attr]  # it matches anywhere
        found = _value_at(waiting, at, is_end=is_end)
        if found:
            value, at = found
            yield from _objects(value)
        elif is_end:
            return
        else:
            # twice as much each time, so that one long value is not read again and again
            piece = text.read(max(PIECE, len(waiting) - at))
            is_end = not piece
            waiting, at = waiting[at:] + piece, 0


def _value_at(text: str, at: int, *, is_end: bool) -> tuple[object, int] | None:
    """The value that begins there and where it ends, {} for a line that is none.

    None where the text has to go on first.
    """
    if at == len(text):
        return None
    try:
        value, end = _decoded(text, at)
    except (ValueError, RecursionError) as error:
        newline = text.find("\n", at)
        if is_end or (newline >= 0 and not _is_cut_off(error, len(text))):
            end = newline if newline >= 0 else len(text)
            begin = _OBJECT.search(text, at + 1, end)
            if begin is None:
                return pairs(text[at:end]), end
            if printed := printed_around(text[at:end], begin.start() - at):
                return printed, end
            return _behind(text, at, begin.start(), end, is_end=is_end)
        return None
    return (value, end) if is_end or end < len(text) else None  # digits may go on


def _behind(
    text: str, at: int, begin: int, newline: int, *, is_end: bool
) -> tuple[object, int] | None:
    """The object behind the text that a program's log begins its lines with, and its time."""
    try:
        value, end = _DECODER.raw_decode(text, begin)
    except (ValueError, RecursionError) as error:
        if _is_cut_off(error, len(text)) and not is_end:
            return None
        return pairs(text[at:newline]), newline
    time = time_of(text[at:begin])
    return ({"@timestamp": time, **value} if time else value), end


def _decoded(text: str, at: int) -> tuple[object, int]:
    value, end = _DECODER.raw_decode(text, at)
    if isinstance(value, int | float) and not text[end : end + 1].isspace() and end < len(text):
        raise ValueError("a line that begins with a time, whose year is no value")
    return value, end


def _is_cut_off(error: Exception, length: int) -> bool:
    """Whether more text may make JSON of it."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    # a word, an escape or a pair of surrogates may lack what follows
    return error.msg.startswith("Unterminated") or error.pos > length - 16


def _objects(value: object) -> Iterator[Row]:
    if isinstance(value, dict):
        value = _of_query(value) or value
    if isinstance(value, dict) and isinstance(value.get("data"), list) and len(value) <= 3:
        value = value["data"]
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, list):
            yield from _objects(item)
        else:
            yield item if isinstance(item, dict) else {}


def _of_query(value: Row) -> list[Row]:
    """The rows of what a query answers, or a database exports; none of anything else."""
    rows: list[Row] = []
    for table in _dicts(value.get("tables")):  # Azure Monitor
        names = [str(column.get("name")) for column in _dicts(table.get("columns"))]
        rows += [dict(zip(names, row, strict=False)) for row in _lists(table.get("rows"))]
    for fields in _lists(value.get("results")):  # CloudWatch Logs Insights
        rows.append({str(one.get("field")): one.get("value") for one in _dicts(fields)})
    columns = _dicts(value.get("columns"))  # Logfire
    if columns and all(isinstance(column.get("values"), list) for column in columns):
        names = [str(column.get("name")) for column in columns]
        cells = zip(*(column["values"] for column in columns), strict=False)
        rows += [dict(zip(names, row, strict=True)) for row in cells]
    data = value.get("data")
    for stream in _dicts(data.get("result")) if isinstance(data, dict) else []:  # Loki
        pairs_of = (pair for pair in _lists(stream.get("values")) if len(pair) >= 2)
        rows += [{"timestamp": pair[0], "line": pair[1]} for pair in pairs_of]
    for item in _dicts([value.get("Item"), *_dicts(value.get("Items"))]):  # DynamoDB
        if all(isinstance(cell, dict) and cell.keys() <= OF_DYNAMODB for cell in item.values()):
            rows.append({name: _untyped(cell, OF_DYNAMODB) for name, cell in item.items()})
    if isinstance(value.get("_id"), dict):  # MongoDB
        rows.append({name: _untyped(cell, OF_MONGODB) for name, cell in value.items()})
    return rows


def _untyped(value: object, types: frozenset[str]) -> object:
    """A value without the types that a database writes around it: `{"N": "12"}` is 12."""
    if isinstance(value, list):
        return [_untyped(item, types) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not value.keys() <= types:
        return {name: _untyped(inner, types) for name, inner in value.items()}
    [(kind, inner)] = value.items()
    if kind in NUMBERS:
        with contextlib.suppress(ValueError):
            return json.loads(str(inner))
    return None if kind == "NULL" else _untyped(inner, types)


def _dicts(value: object) -> list[Row]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _lists(value: object) -> list[list[Any]]:
    return [item for item in value if isinstance(item, list)] if isinstance(value, list) else []
