"""The telemetry files that cannot be read, found before a build: SQL ends at the first of them."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duckdb import DuckDBPyConnection

    from tokenest_py.pipeline.settings import Settings

__all__ = ["PACKED", "any_file_matches", "files_to_set_aside", "folder_of", "glob_of"]

PACKED = (".gz", ".zst")  # what DuckDB unpacks as it reads
_SEEN = """
select source_file, file_bytes, modified_at
from staging.base_telemetry__files
where source_name <> 'set_aside'
"""


def files_to_set_aside(settings: Settings) -> dict[str, str]:
    """Return why each file that the globs match, or ought to, cannot be read, by its path.

    A packed file is unpacked once, and again when its size or its time changes.
    """
    import duckdb

    globs = settings.telemetry
    folders = [folder_of(glob).resolve() for glob in globs]
    seen = _seen(settings.database)
    found = {}
    with duckdb.connect() as connection:
        for path, *state in _listed(connection, globs):
            reason = _unreadable(path, folders)
            if not reason and path.lower().endswith(PACKED) and seen.get(path) != state:
                reason = _damaged(connection, path)
            if reason:
                found[path] = reason
    for glob in globs:
        found.update(_not_listed(glob))
    return found


def any_file_matches(globs: Sequence[str]) -> bool:
    """Whether there is a file; DuckDB's glob() itself would end at a name that is no UTF-8."""
    import duckdb

    with duckdb.connect() as connection, contextlib.suppress(duckdb.IOException):
        return bool(connection.execute("select 1 from read_blob(?)", [list(globs)]).fetchone())
    return False


def glob_of(path: str | Path) -> str:
    """The glob of DuckDB that matches this path alone."""
    return re.sub(r"([*?[])", r"[\1]", str(path))


def write_beside(path: Path, text: str) -> Path:
    """Write the text to a new file beside the path, which replaces it or is linked to it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    return temporary


def _listed(connection: DuckDBPyConnection, globs: Sequence[str]) -> list[tuple[str, ...]]:
    """Path, bytes and time of the files that the globs match, but for names that are no UTF-8."""
    import duckdb

    try:
        return connection.execute(
            "select filename, size, cast(last_modified as timestamp) from read_blob(?)"
            " where try(decode(encode(filename))) is not null",
            [list(globs)],
        ).fetchall()
    except duckdb.IOException:  # no file matches
        return []


def _seen(database: Path) -> dict[str, list[object]]:
    """Bytes and time of the files that the last build could read, by their path."""
    import duckdb

    if not database.exists():
        return {}
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            rows = connection.execute(_SEEN).fetchall()
    except duckdb.Error:  # no table yet: the first build did not get that far
        return {}
    return {path: state for path, *state in rows}


def _unreadable(path: str, folders: Sequence[Path]) -> str:
    file = Path(path)
    if file.is_symlink() and not any(file.resolve().is_relative_to(folder) for folder in folders):
        return (
            "it is a link that leads out of the folders of TOKENEST_TELEMETRY;"
            " name its target's folder there, or put the file in its place"
        )
    try:
        with file.open("rb") as content:
            content.read(1)
    except OSError as error:
        return _said(error)
    return ""


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _damaged(connection: DuckDBPyConnection, path: str) -> str:
    """What DuckDB says of a packed file that does not unpack, without the path."""
    import duckdb

    try:
        connection.execute(
            "select count(*) from read_csv([?], columns = {'line': 'varchar'}, auto_detect = false,"
            " header = false, delim = '', quote = '', escape = '', strict_mode = false,"
            " parallel = false, encoding = 'latin-1', max_line_size = 33554432)",
            [glob_of(path)],
        )
    except duckdb.Error as error:
        what = str(error).splitlines()[0].removeprefix("IO Error: ").removesuffix(f": {path}")
        return f"it does not unpack ({what}); pack it anew"
    return ""


def folder_of(glob: str) -> Path:
    """The folder before the first wildcard of a glob."""
    parts = Path(glob).parts
    wild = next((n for n, part in enumerate(parts) if set(part) & set("*?[")), len(parts) - 1)
    return Path(*parts[:wild])


def _not_listed(glob: str) -> Iterator[tuple[str, str]]:
    """What a glob ought to match and DuckDB passes over in silence."""
    folder, last = folder_of(glob), Path(glob).name
    closed: list[OSError] = []
    for place, _, names in os.walk(folder, onerror=closed.append):
        for name in names if os.sep == "/" else ():
            if "\\" in name and fnmatch.fnmatchcase(name, last):
                yield str(Path(place, name)), "its name holds a backslash; rename it"
        if "**" not in glob:
            break
    for error in closed:
        if not isinstance(error, FileNotFoundError):
            yield f"{error.filename}/", f"the folder cannot be listed ({_said(error)})"
