"""A backup is whole, and comes back as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from dbt_project import Project, line

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

EVENTS = "select event_id, actual_output_tokens from events.int_events order by all"
STATE = "select table_name, comment from duckdb_tables() where comment is not null order by all"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Twenty calls."""
    project = Project(tmp_path_factory.mktemp("built"))
    lines = (line(event_id=f"e-{n}", phase_id=f"p-{n}") for n in range(20))
    project.telemetry().write_bytes(b"".join(lines))
    project.build("int_events")
    return project


def test_there_and_back(built: Project, tmp_path: Path) -> None:
    """While another reads; what came later is gone, and kept beside."""
    copy = tmp_path / "copy.duckdb"
    events, state = built.rows(EVENTS), built.rows(STATE)
    assert events, "the build landed nothing"
    assert state, "the build kept no state"
    with duckdb.connect(str(built.database), read_only=True):
        done = built.tokenest("backup", str(copy))
    assert done.returncode == 0, done.stderr
    assert ", 20 calls\n" in done.stderr
    assert (copy.stat().st_mode & 0o777) == 0o600
    with duckdb.connect(str(built.database)) as connection:
        connection.execute("delete from staging.stg_tokenest__events")
    assert built.rows(EVENTS) == []
    built.database.chmod(0o640)
    done = built.tokenest("restore", str(copy), "--yes")
    assert done.returncode == 0, done.stderr
    assert (built.database.stat().st_mode & 0o777) == 0o640
    assert (built.rows(EVENTS), built.rows(STATE)) == (events, state)
    replaced = built.database.with_name(built.database.name + ".replaced")
    with duckdb.connect(str(replaced), read_only=True) as connection:
        assert connection.execute(EVENTS).fetchall() == []
    assert {path.name for path in tmp_path.iterdir()} == {"copy.duckdb"}
    assert built.tokenest("restore", str(copy), "--yes").returncode == 0
    with duckdb.connect(f"{replaced}-2", read_only=True) as connection:
        assert connection.execute(EVENTS).fetchall() == events
    with duckdb.connect(str(replaced), read_only=True) as connection:
        assert connection.execute(EVENTS).fetchall() == []


def test_what_a_killed_build_had_committed_is_in_the_copy(built: Project, tmp_path: Path) -> None:
    """It stands in the log beside the database until somebody writes again."""
    program = (
        "import duckdb, os, signal, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute('set checkpoint_threshold = \"1TB\"')\n"
        "connection.execute('create table events.late as select 7 as n')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(built.database)], check=False)
    copy = tmp_path / "copy.duckdb"
    assert built.tokenest("backup", str(copy)).returncode == 0
    with duckdb.connect(str(copy), read_only=True) as connection:
        assert connection.execute("select n from events.late").fetchall() == [(7,)]


def test_a_build_and_a_backup_exclude_each_other(built: Project, tmp_path: Path) -> None:
    """Who comes second says who is first."""
    with duckdb.connect(str(built.database)):
        done = built.tokenest("backup", str(tmp_path / "copy.duckdb"), "--lock-timeout", "0")
    assert done.returncode == 75
    assert done.stderr.count("\n") == 1
    assert "is held by process" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_place_that_takes_no_copy_is_one_line_with_its_fix(
    built: Project, tmp_path: Path
) -> None:
    """Woken at night, one wants to know which folder it is about."""
    done = built.tokenest("backup", str(tmp_path / "none" / "copy.duckdb"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"; {tmp_path / 'none'} has to be a folder that this user may write" in done.stderr


def test_what_is_no_backup_replaces_nothing(built: Project, tmp_path: Path) -> None:
    """Foreign, torn, missing; and a backup never overwrites a file."""
    before = built.rows(EVENTS)
    whole = tmp_path / "whole.duckdb"
    assert built.tokenest("backup", str(whole)).returncode == 0
    torn, foreign = tmp_path / "torn.duckdb", tmp_path / "foreign.duckdb"
    content = bytearray(whole.read_bytes())
    content[len(content) // 2 :] = b"\0" * (len(content) - len(content) // 2)
    torn.write_bytes(content)
    duckdb.connect(str(foreign)).close()
    for source in (torn, foreign, tmp_path / "missing.duckdb"):
        done = built.tokenest("restore", str(source), "--yes")
        assert done.returncode == 1, source
        assert done.stderr.count("\n") == 1, done.stderr
        assert built.rows(EVENTS) == before
    assert built.tokenest("backup", str(whole)).returncode == 2
    assert built.tokenest("restore", str(whole)).returncode == 2  # nobody can be asked
    assert not list(tmp_path.glob("*.part"))
    assert not list(built.folder.glob("*.restored*"))


def test_a_backup_takes_the_place_of_a_damaged_database(built: Project, tmp_path: Path) -> None:
    """Whatever lies there is kept, with its log: replayed on the backup, it would change that."""
    events, saved = built.rows(EVENTS), tmp_path / "saved.duckdb"
    assert built.tokenest("backup", str(saved)).returncode == 0
    program = (
        "import duckdb, os, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute('create table events.later as select 7 as n')\n"
        "os._exit(0)\n"
    )
    whole = built.database.read_bytes()
    log = built.database.with_name(f"{built.database.name}.wal")
    for number, left in enumerate([b"", b"no database", whole[:8000], None]):
        built.database.write_bytes(whole)
        subprocess.run([sys.executable, "-c", program, str(built.database)], check=True)
        changes = log.read_bytes()
        if left is None:
            built.database.unlink()
        else:
            built.database.write_bytes(left)
        place = tmp_path / str(number)
        place.mkdir()
        for path in built.folder.glob(f"{built.database.name}.replaced*"):
            path.unlink()  # of the tests before
        done = built.tokenest("restore", str(saved), "--yes")
        assert done.returncode == 0, done.stderr
        assert built.rows(EVENTS) == events
        assert built.rows("select * from duckdb_tables() where table_name = 'later'") == []
        for path in built.folder.glob(f"{built.database.name}.replaced*"):
            path.rename(place / path.suffix)
        kept = {path.name: path.read_bytes() for path in place.iterdir()}
        assert kept == {".wal": changes} | ({} if left is None else {".replaced": left})
    assert not list(built.folder.glob("*.restored*"))


def test_what_is_no_file_is_not_replaced(built: Project, tmp_path: Path) -> None:
    """A folder or a FIFO where the database ought to be is a mistake of the setting."""
    saved = tmp_path / "saved.duckdb"
    assert built.tokenest("backup", str(saved)).returncode == 0
    pipe = built.folder / "pipe.duckdb"
    os.mkfifo(pipe)
    for words in (["restore", str(saved), "--yes"], ["build"], ["identity"]):
        done = subprocess.run(
            [sys.executable, "-m", "tokenest_py", *words],
            cwd=built.folder,
            env=built.environment() | {"TOKENEST_DB": str(pipe)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1, done.stderr
        assert "set TOKENEST_DB" in done.stderr
        assert pipe.is_fifo()
