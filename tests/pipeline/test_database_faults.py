"""A damaged, full or busy database, and files that are none: refused in one line, never wrong."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pytest

from dbt_project import Project, line
from private_mount import PRIVATE_MOUNT
from tokenest_py.errors import DatabaseError
from tokenest_py.pipeline.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

MUTATIONS = 80
BATCHES, BATCH = 4, 500
LINES = "staging.base_tokenest__lines"

# Commits four batches of lines, and ends as a crash does: they are in the write-ahead log alone.
CRASH = f"""
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("set checkpoint_threshold = '1 GB'")
for batch in range({BATCHES}):
    connection.execute(
        "insert into {LINES} select found.* replace ('wal.ndjson' as source_file, i as line_no,"
        " i as actual_output_tokens) from {LINES} as found, range(?, ?) as numbers (i)"
        " where found.source_file <> 'wal.ndjson'",
        [batch * {BATCH}, (batch + 1) * {BATCH}],
    )
os._exit(0)
"""
HOLD = (
    "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True);"
    " sys.stdin.read()"
)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A database of one event. Copy it, do not change it."""
    project = Project(tmp_path_factory.mktemp("landed"))
    project.telemetry().write_bytes(line())
    project.build("files", "rejected_lines", "int_events", "cmd_identity_landing")
    return project


@pytest.fixture
def copied(landed: Project, project: Project) -> Project:
    """A database of the test's own with the same content."""
    shutil.copy(landed.database, project.database)
    project.telemetry().write_bytes(line())
    return project


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of standard error that says what is wrong; there is no traceback."""
    assert "Traceback" not in done.stderr + done.stdout
    [message] = [text for text in done.stderr.splitlines() if text.startswith("tokenest: ")]
    return message


def mutated(log: bytes, random_: random.Random) -> bytes:
    """The log cut off, with a bit turned over, or with a stretch of zeros."""
    place = random_.randrange(len(log))
    match random_.randrange(3):
        case 0:
            return log[:place]
        case 1:
            return log[:place] + bytes([log[place] ^ 1 << random_.randrange(8)]) + log[place + 1 :]
        case _:
            end = min(len(log), place + random_.randrange(1, 4096))
            return log[:place] + bytes(end - place) + log[end:]


def test_a_damaged_log_gives_whole_batches_or_one_line(copied: Project) -> None:
    """Whatever happens to the write-ahead log: the first batches as they were, or a refusal."""
    subprocess.run([sys.executable, "-c", CRASH, copied.database], check=True)
    log = copied.database.with_name(copied.database.name + ".wal")
    content, database = log.read_bytes(), copied.database.read_bytes()
    assert len(content) > BATCHES * BATCH
    random_ = random.Random(6)
    query = f"select count(*), sum(line_no) from {LINES} where source_file = 'wal.ndjson'"
    states = {(n, sum(range(n)) or None) for n in range(0, BATCHES * BATCH + 1, BATCH)}
    seen: set[tuple[int, ...]] = set()
    refusals: list[str] = []
    for number in range(MUTATIONS):
        copied.database.write_bytes(database)
        log.write_bytes(content if number == 0 else mutated(content, random_))
        try:
            with open_database(copied.database, allow_empty=True) as connection:
                found = connection.execute(query).fetchone()
        except DatabaseError as error:
            refusals.append(str(error))
        else:
            assert found is not None
            seen.add(found)
    assert seen <= states
    assert all(str(copied.database) in text and "\n" not in text for text in refusals)
    assert max(seen) == (BATCHES * BATCH, sum(range(BATCHES * BATCH)))
    assert len(seen) > 1 or refusals


def test_a_damaged_block_is_found_by_reading_everything(copied: Project) -> None:
    """`identity --deep` names the table and says how to rebuild; without it nobody looks."""
    whole = copied.tokenest("identity", "--deep", "--format", "json")
    assert whole.returncode == 0, whole.stderr
    assert "rows read in full" in whole.stdout
    content = bytearray(copied.database.read_bytes())
    marker = content.rfind(b"src/a.py")  # the event's deliverable, in a column that no count reads
    assert marker > 0
    content[marker] ^= 1
    copied.database.write_bytes(content)
    done = copied.tokenest("identity", "--deep")
    assert done.returncode == 1
    message = one_line(done)
    assert f"{copied.database} is damaged" in message
    assert "tokenest build" in message
    assert done.stderr.count("\n") == 1


@contextmanager
def held(database: Path) -> Iterator[int]:
    """Another process holds the database; yields its number."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder.pid
        holder.communicate(b"")


def test_every_command_waits_for_a_busy_database_and_names_its_holder(copied: Project) -> None:
    """Exit 75 in one line; draining needs no database, and says that it is busy."""
    commands = {
        "build": [], "calibrate": [], "backtest": [], "identity": [], "replay": [], "report": [],
        "plan": ["--run", "r", "--target", "production"],
    }  # fmt: skip
    with held(copied.database) as holder:
        for command, arguments in commands.items():
            done = copied.tokenest(command, *arguments, "--lock-timeout", "0.1")
            assert done.returncode == 75, (command, done.stderr)
            assert f"held by process {holder}" in one_line(done), command
            assert "waited 0.1 s (--lock-timeout)" in done.stderr


# A build whose files may not grow beyond $1 bytes, and one on a disk of so many.
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from tokenest_py.__main__ import run
sys.exit(run(["build"]))
"""
ON_A_SMALL_DISK = """
mkdir disk && mount -t tmpfs -o size=$1 none disk && cp tokenest.duckdb disk/ || exit 99
TOKENEST_DB=disk/tokenest.duckdb "$0" -m tokenest_py build
code=$?
cp disk/tokenest.duckdb* . && exit $code
"""
FULL: dict[str, tuple[list[str], list[str]]] = {"a limit on files": ([], ["-c", LIMITED])} | (
    {"a small disk": ([*PRIVATE_MOUNT, "sh", "-c", ON_A_SMALL_DISK], [])} if PRIVATE_MOUNT else {}
)


@pytest.mark.parametrize("kind", FULL)
def test_a_disk_that_is_full_costs_nothing_that_had_landed(copied: Project, kind: str) -> None:
    """A build that may not write any further ends in one line; with room again it completes."""
    more = b"".join(line(event_id=f"full-{n}", model="m" * 400) for n in range(20_000))
    copied.telemetry("more.ndjson").write_bytes(more)
    before, after = FULL[kind]
    done = subprocess.run(
        [*before, sys.executable, *after, str(copied.database.stat().st_size + 200_000)],
        cwd=copied.folder, env=copied.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    message = one_line(done)
    assert "make room" in message, message
    assert copied.rows(f"select count(*) from {LINES}") == [(1,)]
    copied.land()
    assert copied.rows("select sum(accepted) from marts.files") == [(20_001,)]


@pytest.mark.skipif(not PRIVATE_MOUNT, reason="nothing can be mounted here")
@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_place_that_may_not_be_written_is_named(copied: Project, place: str) -> None:
    """The engine's words were those of a damaged file, or of a commit that failed."""
    assert PRIVATE_MOUNT
    copied.telemetry("more.ndjson").write_bytes(line(event_id="more"))
    home = copied.folder / "home"
    home.mkdir()
    database = copied.database.rename(home / "tokenest.duckdb")
    read_only = {
        "file": 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"',
        "folder": (  # as a file that is mounted into a container has it
            'f=$(dirname "$0") && mount --bind "$f" "$f" && mount --bind "$0" "$0"'
            ' && mount -o remount,bind,ro "$f"'
        ),
    }[place]
    done = subprocess.run(
        [*PRIVATE_MOUNT, "sh", "-c", f'{read_only} && exec "$1" -m tokenest_py build', database,
         sys.executable],
        cwd=copied.folder, env=copied.environment() | {"TOKENEST_DB": str(database)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    said = "cannot be opened: Read-only file system; this user has to write the file and its folder"
    assert said in one_line(done)


def test_an_older_database_gets_the_columns_of_today(copied: Project) -> None:
    """Without its raw files: what its lines did not land is null, and they count as they did."""
    with duckdb.connect(str(copied.database)) as connection:
        connection.execute(f"alter table {LINES} drop column is_control")
    copied.telemetry("more.ndjson").write_bytes(line(event_id="e-2", is_control=True))
    copied.telemetry().unlink()
    assert copied.tokenest("build").returncode == 0
    landed = f"select is_control from {LINES} order by landing_no"
    assert copied.rows(landed) == [(None,), (True,)]
    assert copied.rows("select sum(accepted) from marts.files") == [(2,)]
