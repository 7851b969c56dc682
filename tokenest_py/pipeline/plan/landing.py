"""Which files are read, before the SQL that reads them: what Jinja does in macros/landing/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenest_py.pipeline.files import PACKED, glob_of
from tokenest_py.pipeline.plan.plan import FILES, LARGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
_BYTES = """
select coalesce(sum(listed.file_bytes), 0)
from temp.files_to_land as files
inner join {listing} as listed
    on files.file_path = listed.source_file
"""


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

    def recognise(self, query: str) -> None:
        """Open the files of which no line has landed, to tell whose they are."""
        paths = [path for (path,) in self._session.run(query).fetchall()]
        self._open(paths, "packed_heads", self._plan.packed_heads)

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
        if not self.has_some(landing):
            return {FILES: False}
        session = self._session
        compared = session.run(session.decided(landing.compared, answers)).fetchall()
        self._open([path for (path,) in compared], "packed_lines", self._plan.packed_lines)
        found = session.run(session.decided(landing.contents, answers)).fetchall()
        session.insert("files_to_land", found)
        self._open([path for path, *_ in found], "packed_lines", self._plan.packed_lines)
        [(size,)] = session.run(_BYTES.format(listing=self._listing)).fetchall()
        return {FILES: bool(found), LARGE: size > _LARGE_BYTES}

    def _open(self, paths: Sequence[str], table: str, unpack: str) -> None:
        """A packed file is unpacked now; the others are read where the SQL does."""
        packed = [path for path in paths if path.lower().endswith(PACKED)]
        self._session.read_files([glob_of(path) for path in paths if path not in packed])
        self._session.insert(table, ())
        for path in packed:
            sql = unpack.replace("@path@", _quoted(path)).replace("@glob@", _quoted(glob_of(path)))
            self._session.connection.execute(f"insert into temp.{table} {sql}")


def _quoted(text: str) -> str:
    return text.replace("'", "''")
