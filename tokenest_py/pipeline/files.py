"""The telemetry files that cannot be read, found before a build: SQL ends at the first of them."""

from __future__ import annotations

import glob as glob_module
import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tokenest_py.errors import TokenestError
from tokenest_py.pipeline import magic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from tokenest_py.pipeline.settings import Settings

__all__ = ["IMPORTED", "NOT_WHOLE", "PACKED", "REQUIRED", "RESHAPED", "any_file_matches",
    "folder_of", "glob_of", "kind_of_no_file", "make_folder", "readable",
]  # fmt: skip

_NOTHING = "x" * 256  # no file has a name of this length
REQUIRED = "occurred_at and actual_output_tokens"  # what makes a record one of an event
IMPORTED = "what is no JSON object a line, `tokenest import FILE` may read"
RESHAPED = "`tokenest import FILE` knows more names and shapes"
NOT_WHOLE = "a line is whole when it ends in a newline"
PACKED = (".gz", ".zst")  # what DuckDB unpacks as it reads
# What is no text, by the bytes at its beginning and where they stand; what may be done with it.
_NO_TEXT = (
    (8, magic.DUCKDB, "it is a database of DuckDB; let TOKENEST_TELEMETRY name the logs alone"),
    (0, magic.SQLITE, "it is a database of SQLite; `tokenest import FILE` reads it"),
    (0, magic.PARQUET, "it is a Parquet file; `tokenest import FILE` reads it"),
    (0, magic.ZIP, "it is a zip archive; `tokenest import FILE` reads it"),
    (0, magic.XZ, "it is packed by xz; `tokenest import FILE` reads it, or pack it by gzip"),
    (
        4,
        magic.BLOCK,
        "it is packed by bzip2; `tokenest import FILE` reads it, or pack it by gzip",
    ),
    (0, magic.GZIP, "it is packed by gzip; let its name end in .gz"),
    (0, magic.ZSTD, "it is packed by zstd; let its name end in .zst"),
)
_UNLISTED = "a name that begins with a backslash keeps it from being listed; rename that"
_SEEN = """
select source_file, file_bytes, modified_at
from staging.base_telemetry__files
where source_name <> 'set_aside'
"""


def readable(settings: Settings) -> Settings:
    """Return the settings of a run: globs that DuckDB can list, and the files that it leaves out.

    Where it cannot list a glob the files stand by name. A packed file is unpacked once, and again
    when its size or its time changes.
    """
    can_list = {glob: _can_list(glob) for glob in settings.telemetry}
    globs = []
    for source, glob in settings.telemetry_sources:
        paths = [glob] if can_list[glob] else filter(_is_plain, _paths(glob))
        globs += [f"{source}:{path}" if source else path for path in paths]
    listed = settings.replaced(TOKENEST_TELEMETRY=",".join(globs or [_NOTHING]))
    aside = _to_set_aside(settings, listed.telemetry, can_list)
    return listed.replaced(TOKENEST_SET_ASIDE=json.dumps(aside))


def _to_set_aside(
    settings: Settings, listed: Sequence[str], can_list: Mapping[str, bool]
) -> dict[str, str]:
    """Why each file that the globs match, or ought to, cannot be read, by its path."""
    import duckdb

    globs = settings.telemetry
    folders = [folder_of(glob).resolve() for glob in globs]
    seen = _seen(settings.database)
    found = {}
    with duckdb.connect() as connection:
        files = _listed(connection, listed)
        for path, *state in files:
            reason = _unreadable(path, folders)
            if not reason and path.lower().endswith(PACKED) and seen.get(path) != state:
                reason = _damaged(connection, path)
            if reason:
                found[path] = reason
    real = {os.path.realpath(path) for path, *_ in files}
    for glob in globs:
        found.update(_not_listed(glob, is_listed=can_list[glob]))
        found.update(_linked_folders(glob, real))
        found.update(_closed_folders(glob))
    return found


def any_file_matches(globs: Sequence[str]) -> bool:
    """Whether there is something of such a name."""
    return any(_paths(glob) for glob in globs)


def glob_of(path: str | Path) -> str:
    """The glob of DuckDB that matches this path alone."""
    return re.sub(r"([*?[])", r"[\1]", str(path))


def make_folder(folder: Path, fix: str) -> None:
    """Make a folder with those above it; raises TokenestError, which ends with the fix."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TokenestError(f"{folder} cannot be made: {error.strerror}; {fix}") from error


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
    if kind := kind_of_no_file(file):
        return kind  # to open one would wait for a writer, or read without end
    try:
        with file.open("rb") as content:
            head = content.read(16)
    except FileNotFoundError:  # it went away since it was listed
        return ""
    except OSError as error:
        return _said(error)
    if path.lower().endswith(PACKED):
        return ""
    return next((said for at, begin, said in _NO_TEXT if head.startswith(begin, at)), "")


def kind_of_no_file(path: Path) -> str:
    """What stands there instead of a file; nothing where there is one, or nothing."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "it is no file but a link to nothing" if path.is_symlink() else ""
    except OSError as error:  # a link in a circle
        return _said(error)
    if stat.S_ISREG(mode):
        return ""
    kinds = ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "FIFO"), (stat.S_ISSOCK, "socket"))
    return f"it is no file but a {next((kind for is_of, kind in kinds if is_of(mode)), 'device')}"


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
        if not Path(path).exists():  # it went away since it was listed
            return ""
        what = str(error).splitlines()[0].removeprefix("IO Error: ").removesuffix(f": {path}")
        return f"it does not unpack ({what}); pack it anew"
    return ""


def folder_of(glob: str) -> Path:
    """The folder before the first wildcard of a glob."""
    parts = Path(glob).parts
    wild = next((n for n, part in enumerate(parts) if set(part) & set("*?[")), len(parts) - 1)
    return Path(*parts[:wild])


def _not_listed(glob: str, *, is_listed: bool) -> Iterator[tuple[str, str]]:
    """What a glob ought to match and DuckDB passes over in silence, or cannot list."""
    below = len(str(folder_of(glob)))
    # where a pattern names no ending, folders match it as a matter of course
    takes_folders = set(glob) & set("*?[") and "." not in Path(glob).name
    for path in _paths(glob):
        if os.sep == "/" and "\\" in path[below:]:
            yield _shown(path), "its name holds a backslash; rename it"
        elif not is_listed and not _is_plain(path):
            yield _shown(path), _UNLISTED if path == _shown(path) else "its name is no UTF-8"
        elif not (takes_folders and Path(path).is_dir()) and (kind := kind_of_no_file(Path(path))):
            names_folder = path == glob and Path(path).is_dir()
            fix = f"; name its files, as in {path.rstrip('/')}/**/*.ndjson" if names_folder else ""
            yield _shown(path), kind + fix


def _closed_folders(glob: str) -> Iterator[tuple[str, str]]:
    """The folders that a glob looks into, and that cannot be listed."""
    folder, closed = folder_of(glob), list[OSError]()
    depth = len(Path(glob).parts) - 1 if "**" not in glob else sys.maxsize
    for place, folders, _ in os.walk(folder, onerror=closed.append):
        if len(Path(place).parts) >= depth:
            folders.clear()
    for error in closed:
        if not isinstance(error, FileNotFoundError):
            yield f"{_shown(error.filename)}/", f"the folder cannot be listed ({_said(error)})"


def _paths(glob: str) -> list[str]:
    """What a glob matches, of whatever kind and name; below ** no link is followed, as in DuckDB.

    Python's own ** follows links, and without end where two lead back up.
    """
    folders, rest = _below_stars(glob)
    if rest is None:
        return _matches(glob)
    return sorted(
        {
            path
            for place, _, _ in _walks(folders)
            for path in _paths(os.path.join(glob_module.escape(place), rest))  # noqa: PTH118
        }
    )


def _linked_folders(glob: str, listed: set[str]) -> Iterator[tuple[str, str]]:
    """The folders below ** that stand there as links, with files that no glob lists."""
    folders, rest = _below_stars(glob)
    if rest is None:
        return
    links = (
        path
        for place, names, _ in _walks(folders)
        for path in (os.path.join(place, name) for name in names)  # noqa: PTH118
        if Path(path).is_symlink()
    )
    for link in links:
        below = f"{glob_module.escape(link)}/**/{rest}"
        files = (os.path.realpath(path) for path in _paths(below) if Path(path).is_file())
        if any(file not in listed for file in files):
            fix = f"name it, as in {_shown(link)}/**/{rest}"
            yield f"{_shown(link)}/", f"the folder is a link, which ** does not follow; {fix}"


def _below_stars(glob: str) -> tuple[list[str], str | None]:
    """The folders that ** begins in, and the pattern behind it; none where there is no **."""
    head, *rest = re.split(r"(?:^|(?<=/))\*\*(?:/|$)", glob, maxsplit=1)
    return (_matches(head) if head else [""], rest[0] or "*") if rest else ([], None)


def _walks(folders: Sequence[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    for folder in folders:
        for place, names, files in os.walk(folder or "."):
            yield place if folder else place.removeprefix(".").removeprefix("/"), names, files


def _matches(glob: str) -> list[str]:
    return sorted(glob_module.glob(glob, include_hidden=True))  # noqa: PTH207 - keeps ./ and //


def _can_list(glob: str) -> bool:
    """Whether DuckDB lists it; a name that begins with a backslash ends it, whatever its ending."""
    import duckdb

    try:
        with duckdb.connect() as connection:
            connection.execute("select 1 from read_blob(?) limit 1", [glob])
    except duckdb.IOException:  # no file matches
        return True
    except (duckdb.InvalidInputException, UnicodeDecodeError):
        return False
    return True


def _is_plain(path: str) -> bool:
    """Whether a path stands for itself in TOKENEST_TELEMETRY, and its folder need not be listed."""
    return not set(path) & set("*?[,:\\") and _shown(path) == path


def _shown(path: str | Path) -> str:
    r"""A path as the listing of SQL shows it: bytes that are no UTF-8 as `\xFF`."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return re.sub(r"\\x[0-9a-f]{2}", lambda found: "\\x" + found[0][2:].upper(), text)
