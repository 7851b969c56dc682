"""Which files are read, before the SQL that reads them: what Jinja does in macros/landing/."""

from __future__ import annotations

import shutil
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tokenest_py.pipeline.failures import file_gone
from tokenest_py.pipeline.files import PACKED, glob_of
from tokenest_py.pipeline.plan import parts
from tokenest_py.pipeline.plan.plan import FILES, LARGE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from tokenest_py.pipeline.plan.plan import Landing, Plan
    from tokenest_py.pipeline.plan.session import Session

__all__ = ["Files"]

# Each reader is a pipeline, with every expression of the landing set up anew.
_LARGE_BYTES = 2**24
_FEW_BYTES = 2**19  # of all files: about a thousand lines
_FEW_LINES = 2000  # that landed before
# How much a packed file holds is not known before it is read.
_IS_PACKED = " or ".join(f"lower(source_file) like '%{ending}'" for ending in PACKED)
_SOURCES = f"""
select
    source_name,
    sum(case when {_IS_PACKED} then {_FEW_BYTES} else file_bytes end)
from {{listing}}
group by source_name
"""
_LANDED = """
select coalesce(sum(estimated_size), 0)
from duckdb_tables()
where database_name = current_database() and table_name like 'base\\_%\\_\\_lines' escape '\\'
"""
_LISTED = """
select files.file_path, listed.file_bytes, listed.modified_at
from temp.files_to_land as files
inner join {listing} as listed
    on files.file_path = listed.source_file
"""


class _Candidate(NamedTuple):
    """A content that has landed, and that a file may hold (files_to_compare)."""

    file_path: str
    is_own: bool
    source_file: str
    landed_lines: int
    landed_bytes: int
    landed_md5: str | None
    has_torn_tail: bool


class _ToLand(NamedTuple):
    """A file to land (contents_of_files)."""

    file_path: str
    source_file: str
    landed_lines: int
    has_torn_tail: bool


class Files:
    """The files of a run, and what it says of those that it leaves out."""

    def __init__(self, session: Session, plan: Plan, warn: Callable[[str], None]) -> None:
        """Take the session that reads them; `warn` is called with a line a file left out."""
        self._session = session
        self._plan = plan
        self._warn = warn
        self.left_out = False
        self._sources: set[str] = set()  # those that have a file
        self._listing = ""
        self._listed: dict[str, tuple[int, object]] = {}  # bytes and time
        self._in_parts: list[_ToLand] = []

    @contextmanager
    def recognised(self, query: str) -> Iterator[None]:
        """Open the files of which no line has landed, to tell whose they are; "" asks for none."""
        if not query:
            yield
            return
        at_once, large = self._by_size({path for (path,) in self._session.run(query).fetchall()})
        with ExitStack() as stack:
            folder = stack.enter_context(self._folder()) if large else Path()
            heads = {}
            for number, path in enumerate(sorted(large)):
                heads[str(folder / str(number))] = path
                with _gone(path):
                    Path(folder, str(number)).write_bytes(b"".join(parts.head_of(Path(path))))
            self._session.read_for(heads)
            self._open([*at_once, *heads], "packed_heads", self._plan.packed_heads)
            yield

    def note_sources(self, listing: str) -> None:
        """Note which sources have a file; the others have nothing to land. Settle how to run."""
        self._listing = listing
        found = self._session.run(_SOURCES.format(listing=listing)).fetchall()
        self._sources = {source for source, _ in found}
        [(landed,)] = self._session.run(_LANDED).fetchall()
        if landed <= _FEW_LINES and sum(size or 0 for _, size in found) < _FEW_BYTES:
            self._session.run_simply()

    def name_unread(self, query: str) -> None:
        """Say which files are not read."""
        for path, reason, message in self._session.run(query).fetchall():
            if reason:
                self.left_out = True
                said = self._plan.set_aside.replace("@reason@", reason)
                self._warn(said.replace("@path@", path))
            else:
                self._warn(message)

    def has_some(self, landing: Landing) -> bool:
        """Whether the source has a file."""
        return landing.source in self._sources

    def to_land(self, landing: Landing, answers: dict[str, bool]) -> dict[str, bool]:
        """Open the files that have lines which have not landed; what a landing asks of them."""
        self._in_parts = []
        if not self.has_some(landing):
            return {FILES: False}
        session = self._session
        compared = session.run(session.decided(landing.compared, answers)).fetchall()
        candidates = [_Candidate(*row) for row in compared]
        at_once, large = self._by_size({candidate.file_path for candidate in candidates})
        self._open(at_once, "packed_lines", self._plan.packed_lines)
        contents = session.run(session.decided(landing.contents, answers)).fetchall()
        found = _matched([_ToLand(*row) for row in contents], candidates, large)
        session.insert("files_to_land", found)
        at_once, large = self._by_size({file.file_path for file in found})
        self._in_parts = [file for file in found if file.file_path in large]
        self._open(at_once, "packed_lines", self._plan.packed_lines)
        listed = session.run(_LISTED.format(listing=self._listing)).fetchall()
        self._listed = {path: (size, time) for path, size, time in listed}
        size = sum(self._listed[path][0] for path in at_once)
        return {FILES: bool(found), LARGE: size > _LARGE_BYTES}

    def in_parts(self) -> Generator[None]:
        """Open the large files of a landing, one part after another."""
        for file in self._in_parts:
            with _gone(file.file_path):
                yield from self._parts_of(file)

    def _parts_of(self, file: _ToLand) -> Iterator[None]:
        session, path = self._session, Path(file.file_path)
        found = parts.cut(
            path, file.landed_lines - file.has_torn_tail, session.part_bytes,
            is_final=self._plan.final == "true",
        )  # fmt: skip
        _, modified_at = self._listed[file.file_path]
        with self._folder() as folder:
            name = str(folder / "part")
            for part in found.parts:
                head_lines = parts.write_part(path, part, Path(name))
                session.insert("files_to_land", [(name, name, head_lines, False)])
                session.insert("part", [(
                    file.source_file, file.file_path, part.lines - head_lines,
                    part is found.parts[-1], found.file_bytes, modified_at,
                    found.landed_bytes, found.landed_md5,
                )])  # fmt: skip
                self._open([name], "packed_lines", "")
                yield

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """A folder beside the database, for nobody else."""
        folder = self._session.parts_folder
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _by_size(self, paths: set[str]) -> tuple[list[str], set[str]]:
        """The files that are read at once, and those that are read in parts."""
        large = set()
        for path in paths:
            with _gone(path):
                if parts.is_parted(Path(path), self._session.part_bytes):
                    large.add(path)
        return sorted(paths - large), large

    def _open(self, paths: Sequence[str], table: str, unpack: str) -> None:
        """A packed file is unpacked now; the others are read where the SQL does."""
        packed = [path for path in paths if path.lower().endswith(PACKED)]
        self._session.read_files([glob_of(path) for path in paths if path not in packed])
        self._session.insert(table, ())
        for path in packed:
            sql = unpack.replace("@path@", _quoted(path)).replace("@glob@", _quoted(glob_of(path)))
            self._session.connection.execute(f"insert into temp.{table} {sql}")


def _matched(found: list[_ToLand], candidates: list[_Candidate], large: set[str]) -> list[_ToLand]:
    """The files to land; whether a large one holds what has landed was not asked in SQL."""
    by_path = defaultdict(list)
    for candidate in candidates:
        by_path[candidate.file_path].append(candidate)
    asked = ((file, by_path[file.file_path]) for file in found)
    held = [
        one
        for file, theirs in asked
        if (one := _in_large(file, theirs) if file.file_path in large else _in_small(file, theirs))
    ]
    # a content lands once: in its own place, else in the first by name
    held.sort(key=lambda one: (not one.is_own, one.file_path), reverse=True)
    first = {one.source_file: one for one in held}
    kept = {one.file_path: one for one in first.values()}

    def settled(file: _ToLand) -> _ToLand:
        if one := kept.get(file.file_path):
            return _going_on(file, one) if file.file_path in large else file
        if file.source_file in first:
            return _ToLand(file.file_path, file.file_path, 0, has_torn_tail=False)
        return file

    return [settled(file) for file in found]


def _in_small(file: _ToLand, candidates: list[_Candidate]) -> _Candidate | None:
    """The landed content that SQL found in a file."""
    return next((one for one in candidates if one.source_file == file.source_file), None)


def _in_large(file: _ToLand, candidates: list[_Candidate]) -> _Candidate | None:
    """The landed content that a large file holds."""
    path = Path(file.file_path)
    with _gone(file.file_path):
        size = path.stat().st_size
        lengths = [one.landed_bytes for one in candidates if one.landed_md5 is not None]
        md5 = parts.md5_of_beginnings(path, lengths)

    def is_held(one: _Candidate) -> bool:
        if one.landed_md5 is None:  # landed by an older version: the size alone tells
            return one.is_own and size >= one.landed_bytes
        return md5.get(one.landed_bytes) == one.landed_md5

    return min(
        filter(is_held, candidates),
        key=lambda one: (not one.is_own, -one.landed_lines, one.source_file),
        default=None,
    )


def _going_on(file: _ToLand, held: _Candidate) -> _ToLand:
    is_longer = Path(file.file_path).stat().st_size > held.landed_bytes
    return _ToLand(
        file.file_path, held.source_file, held.landed_lines,
        has_torn_tail=held.has_torn_tail and is_longer,
    )  # fmt: skip


@contextmanager
def _gone(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise file_gone(path) from error


def _quoted(text: str) -> str:
    return text.replace("'", "''")
