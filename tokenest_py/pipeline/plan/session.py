"""The connection of a run: its settings, what it may touch, and the words that SQL leaves open."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tokenest_py.errors import BuildError
from tokenest_py.pipeline.files import folder_of
from tokenest_py.pipeline.plan.plan import OF_A_TABLE, READERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import duckdb

    from tokenest_py.pipeline.plan.plan import Plan, Sql
    from tokenest_py.pipeline.settings import Settings

__all__ = ["Session", "literal"]

_OF_A_TABLE = re.compile(OF_A_TABLE.format("([^@]+)", "(.*?)"), re.DOTALL)

_PARTS_OF_MEMORY = 48  # lines with their text take 6 to 15 times as much as the file, as they land
_LEAST_PART = 2**23  # each part costs as much as it takes to plan the landing
_BYTES_OF_A_THREAD = 900 * 2**20  # lines of a container take most, for what each step makes of them

_PATH = "select path from duckdb_databases() where database_name = current_database()"
_TEMPORARY = """
create or replace temp table files_set_aside (source_file varchar, reason varchar);
create or replace temp table said_sources (source_file varchar, source_name varchar);
create or replace temp table landed_places (
    content varchar, source_file varchar, source_name varchar, landing_no bigint, is_sure boolean
);
create or replace temp table files_to_land (
    file_path varchar, source_file varchar, landed_lines bigint, has_torn_tail boolean
);
create or replace temp table part (
    source_file varchar, file_path varchar, lines bigint, is_last boolean,
    file_bytes bigint, modified_at timestamp, landed_bytes bigint, landed_md5 varchar
);
create or replace temp table packed_lines (
    file_path varchar, file_bytes bigint, modified_at timestamp, pieces varchar[],
    escaped_pieces varchar[]
);
create or replace temp table packed_heads (source_file varchar, line_no bigint, piece varchar);
"""


class Session:
    """Runs the SQL of a plan."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, plan: Plan, settings: Settings
    ) -> None:
        """Confine the connection to the files of the settings, and open the tables of the run."""
        self.connection = connection
        [(path,)] = connection.execute(_PATH).fetchall()
        self.parts_folder = Path(f"{path or settings.database}.parts")
        if path:
            shutil.rmtree(self.parts_folder, ignore_errors=True)  # a kill left it
        self._answers: dict[str, bool] = {}  # by question
        self.part_bytes = 0  # a larger file is read in parts of about so many bytes
        self._threads = 0  # how many there were, where there are fewer now
        self.words = {
            "read_blob(['@telemetry@'])": _listing(settings.telemetry, self.parts_folder),
            "@exports@": str(settings.exports).replace("'", "''"),
            "@a_day_ahead@": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d %H:%M:%S}",
        }
        for name, value in plan.settings.items():
            connection.execute(f'set "{name}" = {literal(value)}')
        connection.execute(f"set memory_limit = {literal(settings.memory_limit)}")
        self._share_memory()
        self._confine(settings)
        connection.execute(_TEMPORARY)
        for source, glob in settings.telemetry_sources:
            self._say(source, glob, plan.sources)
        self.insert("files_set_aside", settings.set_aside.items())

    def _share_memory(self) -> None:
        """Run in no more threads than the memory limit has room for what each of them holds."""
        [(limit, threads)] = self.connection.execute(
            "select parse_formatted_bytes(current_setting('memory_limit')),"
            " current_setting('threads')"
        ).fetchall()
        self.part_bytes = max(limit // _PARTS_OF_MEMORY, _LEAST_PART)
        if limit < threads * _BYTES_OF_A_THREAD:
            self._threads = threads
            self.connection.execute(f"set threads = {max(limit // _BYTES_OF_A_THREAD, 1)}")

    def run_simply(self) -> None:
        """Run from now on in one thread, and as the SQL is written: few lines pay for no more."""
        asked = self.connection.execute("select current_setting('threads')")
        [(threads,)] = asked.fetchall()
        self._threads = self._threads or threads
        self.connection.execute("set threads = 1")
        self.connection.execute("pragma disable_optimizer")

    def end(self) -> None:
        """Leave the connection as others expect it."""
        if self._threads:
            self.connection.execute("pragma enable_optimizer")
            self.connection.execute(f"set threads = {self._threads}")

    def run(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run SQL of the plan with its words replaced."""
        return self.connection.execute(self._worded(sql))

    def _worded(self, sql: str) -> str:
        for word, text in self.words.items():
            sql = sql.replace(word, text)
        return sql

    def decided(self, sql: Sql, answers: Mapping[str, bool]) -> str:
        """Return the text for what the caller, or else the database, answers."""
        while not isinstance(sql, str):
            question = sql["ask"]
            answer = answers.get(question)
            sql = sql["yes" if (self._has_row(question) if answer is None else answer) else "no"]
        return _OF_A_TABLE.sub(
            lambda part: part[2] if self._has_row(f"select 1 from {part[1]} limit 1") else "", sql
        )

    def _has_row(self, question: str) -> bool:
        """Whether a query finds a row. Of tables that this run is done with: it is asked once."""
        text = self._worded(question)
        if text not in self._answers:
            self._answers[text] = self.connection.execute(text).fetchone() is not None
        return self._answers[text]

    def insert(self, table: str, rows: Iterable[Sequence[object]]) -> None:
        """Put rows into a temporary table in the place of those that it had."""
        self.connection.execute(f"delete from temp.{table}")
        found = [list(row) for row in rows]
        if found:
            places = ", ".join("?" * len(found[0]))
            self.connection.executemany(f"insert into temp.{table} values ({places})", found)

    def read_files(self, globs: Sequence[str]) -> None:
        """Let the SQL that reads files read these, in as many parts as there are readers."""
        for reader in range(READERS):
            part = ", ".join(map(literal, globs[reader::READERS]))
            self.connection.execute(f"set variable paths_{reader} = cast([{part}] as varchar[])")

    def read_for(self, paths: Mapping[str, str]) -> None:
        """Let what is read from these files count as read from those."""
        names, others = ([*map(literal, found)] for found in (paths.keys(), paths.values()))
        self.connection.execute(
            f"set variable read_for = cast(map([{', '.join(names)}], [{', '.join(others)}])"
            " as map(varchar, varchar))"
        )

    def _confine(self, settings: Settings) -> None:
        """No other file can be read or written from now on, and this cannot be taken back."""
        # what may be listed only: a link that leads out is set aside, and not read
        links = ", ".join(map(literal, settings.set_aside))
        places = [settings.exports, self.parts_folder, *map(folder_of, settings.telemetry)]
        folders = ", ".join(literal(f"{place}/") for place in dict.fromkeys(places))
        self.connection.execute(f"set allowed_directories = [{folders}]")
        self.connection.execute(f"set allowed_paths = [{links}]")
        self.connection.execute("set enable_external_access = false")

    def _say(self, source: str, glob: str, sources: Sequence[str]) -> None:
        """Keep which files are said to be of a source."""
        if not source:
            return
        if source not in sources:
            known = ", ".join(sources)
            message = f"'{source}:' before a path names no source; it is one of {known}"
            raise BuildError(message)
        self.connection.execute(
            "insert into temp.said_sources select filename, ? from read_blob(?)"
            " where try(decode(encode(filename))) is not null",  # glob() would end at such a name
            [source, glob],
        )


def literal(value: object) -> str:
    """A value as SQL."""
    if isinstance(value, bool):
        return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"


def _listing(globs: Sequence[str], parts_folder: Path) -> str:
    """The files of the globs, without what this run puts down for a moment where they may match."""
    return (
        f"(select filename, size, last_modified from read_blob([{', '.join(map(literal, globs))}])"
        f" where not contains(filename, {literal(f'{parts_folder.name}/')}))"
    )
