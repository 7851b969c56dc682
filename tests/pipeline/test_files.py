"""A file that cannot be read costs itself: it is named, and the others land."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dbt_project import Project, line
from tokenest_py.pipeline.files import readable
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
OWN = "let TOKENEST_TELEMETRY name the logs alone"
IMPORT = "`tokenest import FILE` reads it"
PACKED = gzip.compress(b"".join(line(event_id=f"p-{n}") for n in range(50)))


def set_aside(folder: Path, glob: str = "**/*.ndjson*") -> dict[str, str]:
    """The reasons, by the path within the folder."""
    said = Settings.read({"TOKENEST_TELEMETRY": f"{folder}/{glob}",
                          "TOKENEST_DB": f"{folder}/none.duckdb"})  # fmt: skip
    found = readable(said).set_aside
    return {path.removeprefix(f"{folder}/"): reason for path, reason in found.items()}


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach, and this process as a user whom modes bind."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        user = os.geteuid()
        yield Path(name)
        os.seteuid(user)


def become_nobody() -> None:
    """Modes bind everybody but root."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY)


def test_what_can_be_read_is_left_alone(tmp_path: Path) -> None:
    """A plain, an empty and a packed file, a link within the folder, and no file at all."""
    assert set_aside(tmp_path) == {}
    (tmp_path / "plain.ndjson").write_bytes(line())
    (tmp_path / "empty.ndjson").touch()
    (tmp_path / "st*ar [1].ndjson.gz").write_bytes(PACKED)
    (tmp_path / "link.ndjson").symlink_to("plain.ndjson")
    (tmp_path / "folder").mkdir()
    assert set_aside(tmp_path) == {}
    assert set_aside(tmp_path, "*") == {}


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("torn.ndjson.gz", PACKED[:-90], "Unexpected end of GZIP stream"),
        ("junk.ndjson.GZ", b"\x1f\x8b" + bytes(range(256)), "Unsupported GZIP"),
        ("text.ndjson.gz", line(), "Input is not a GZIP stream"),
        ("junk.ndjson.zst", PACKED, "Unknown frame descriptor"),
    ],
)
def test_a_damaged_packed_file_says_what_is_wrong(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    """With the fix."""
    (tmp_path / name).write_bytes(content)
    reasons = set_aside(tmp_path)
    assert list(reasons) == [name]
    assert what in reasons[name]
    assert reasons[name].endswith("pack it anew")


def test_what_is_no_text_is_named_with_what_reads_it(tmp_path: Path) -> None:
    """As lines it would be quarantined without a word, a database of the globs anew each build."""
    with duckdb.connect(str(tmp_path / "calls.duckdb")) as connection:
        connection.execute(f"copy (select 1 as n) to '{tmp_path}/t.parquet'")
    text = line()
    for name, content in {
        "log.1": gzip.compress(text), "log.2.xz": lzma.compress(text), "log.3": bz2.compress(text),
        "log.4": b"\x28\xb5\x2f\xfd" + text, "s.db": b"SQLite format 3\0", "BZh.txt": b"BZh1\n",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    said = {name: reason.partition("; ") for name, reason in set_aside(tmp_path, "*").items()}
    assert {name: (what, fix) for name, (what, _, fix) in said.items()} == {
        "calls.duckdb": ("it is a database of DuckDB", OWN),
        "log.1": ("it is packed by gzip", "let its name end in .gz"),
        "log.2.xz": ("it is packed by xz", f"{IMPORT}, or pack it by gzip"),
        "log.3": ("it is packed by bzip2", f"{IMPORT}, or pack it by gzip"),
        "log.4": ("it is packed by zstd", "let its name end in .zst"),
        "s.db": ("it is a database of SQLite", IMPORT),
        "t.parquet": ("it is a Parquet file", IMPORT),
    }


def test_what_is_closed_to_the_user_is_named() -> None:
    """A file and a folder; the folder's other files are read."""
    with open_folder() as folder:
        for place in ("open", "closed"):
            (folder / place).mkdir()
            (folder / place / "a.ndjson").write_bytes(line())
        (folder / "open" / "b.ndjson").write_bytes(line())
        (folder / "open" / "b.ndjson").chmod(0)
        (folder / "closed").chmod(0)
        become_nobody()
        assert set_aside(folder) == {
            "open/b.ndjson": "permission denied",
            "closed/": "the folder cannot be listed (permission denied)",
        }


def no_files(folder: Path) -> dict[str, str]:
    """Make one of each kind that a name may stand for, with what is said of it."""
    os.mkfifo(folder / "fifo.ndjson")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(folder):
        listener.bind("socket.ndjson")
    (folder / "folder.ndjson").mkdir()
    for name, target in {"to-fifo": "fifo.ndjson", "nothing": "nowhere", "device": "/dev/zero",
                         "circle": "circle.ndjson"}.items():  # fmt: skip
        (folder / f"{name}.ndjson").symlink_to(target)
    no_file = {"fifo": "FIFO", "to-fifo": "FIFO", "socket": "socket", "folder": "folder",
               "nothing": "link to nothing", "device": "device"}  # fmt: skip
    said = {f"{name}.ndjson": f"it is no file but a {kind}" for name, kind in no_file.items()}
    said["nothing.ndjson"] = "it is no file but a link to nothing"
    return said | {"circle.ndjson": "too many levels of symbolic links"}


@pytest.mark.parametrize("glob", ["*.ndjson", "**/*.ndjson", "in/*.ndjson", "*/*.ndjson"])
def test_what_is_no_file_is_named_and_never_opened(tmp_path: Path, glob: str) -> None:
    """A FIFO would wait for a writer, and a device has no end."""
    inner = tmp_path / "in" if "in/" in glob or "*/*" in glob else tmp_path
    inner.mkdir(exist_ok=True)
    (inner / "good.ndjson").write_bytes(line())
    said = no_files(inner)
    (inner / "deeper").mkdir()
    os.mkfifo(inner / "deeper" / "fifo.ndjson")
    if "**" in glob:
        said["deeper/fifo.ndjson"] = said["fifo.ndjson"]
    found = set_aside(tmp_path, glob)
    assert {name.removeprefix("in/"): reason for name, reason in found.items()} == said


def test_links_that_lead_back_up_end(tmp_path: Path) -> None:
    """Two of them have more paths below ** than can be counted."""
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("one", "two"):
        (logs / name).symlink_to("..")
    (logs / "a.ndjson").write_bytes(line())
    (logs / "nothing.ndjson").symlink_to("nowhere")
    assert set_aside(tmp_path) == {"logs/nothing.ndjson": "it is no file but a link to nothing"}


def test_a_linked_folder_that_stars_pass_over_is_named(tmp_path: Path) -> None:
    """Its files went unread without a word; named by a glob of its own, they land."""
    for name in ("logs", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.ndjson").write_bytes(line())
    (tmp_path / "logs" / "linked").symlink_to("../other")
    glob = f"{tmp_path}/logs/linked/**/*.ndjson"
    reason = f"the folder is a link, which ** does not follow; name it, as in {glob}"
    assert set_aside(tmp_path, "logs/**/*.ndjson") == {"logs/linked/": reason}
    assert not set_aside(tmp_path, f"logs/**/*.ndjson,{glob}")
    assert not set_aside(tmp_path)


def test_one_that_is_named_by_itself(tmp_path: Path) -> None:
    """DuckDB lists a FIFO that no wildcard stands for."""
    no_files(tmp_path)
    assert set_aside(tmp_path, "fifo.ndjson") == {"fifo.ndjson": "it is no file but a FIFO"}
    assert set_aside(tmp_path, "nothing.ndjson") == {
        "nothing.ndjson": "it is no file but a link to nothing"
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "folder", "other"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & set(b"/\0")))
@example(b"\\")
@example(b"\\\xff")
@example(b"a\\[\xfe")
def test_no_name_stops_anything(kind: str, name: bytes) -> None:
    """What DuckDB cannot list is named, and the file beside it is listed all the same.

    A name that is no UTF-8 the landing names itself.
    """
    if name in {b".", b".."}:
        return
    with tempfile.TemporaryDirectory() as text:
        folder = os.fsencode(text)
        Path(text, "good.ndjson").write_bytes(line())
        path = folder + b"/" + name + {"file": b".ndjson", "folder": b"", "other": b"x"}[kind]
        if kind == "folder":
            os.mkdir(path)  # noqa: PTH102 - pathlib takes text
            path += b"/in.ndjson"
        with open(path, "wb") as file:  # noqa: PTH123 - pathlib takes text
            file.write(line())
        said = Settings.read({"TOKENEST_TELEMETRY": f"{text}/**/*.ndjson",
                              "TOKENEST_DB": f"{text}/none.duckdb"})  # fmt: skip
        run = readable(said)
        reasons = run.set_aside
        is_missed = kind != "other" and b"\\" in name
        assert list(reasons.values()) == ["its name holds a backslash; rename it"] * is_missed
        for shown in reasons:
            assert shown.encode().decode() == shown  # bytes that are no text are told as text
        with duckdb.connect() as connection:
            globs = list(run.telemetry)
            listed = connection.execute(
                "select encode(filename) from read_blob(?)", [globs]
            ).fetchall()
        expected = {folder + b"/good.ndjson"} | ({path} if kind != "other" else set())
        is_shown = b"\\" not in name[:1] or not (set(name) & set(b"*?[,:") or _is_no_text(name))
        assert {found for (found,) in listed} <= expected
        assert folder + b"/good.ndjson" in {found for (found,) in listed}
        if not is_missed and is_shown:
            assert {found for (found,) in listed} == expected


def _is_no_text(name: bytes) -> bool:
    return b"\\x" in name.decode(errors="backslashreplace").encode()


@pytest.mark.slow
def test_the_others_land_and_the_build_exits_with_3(project: Project, tmp_path: Path) -> None:
    """Each file is named in a line; when they are mended, everything is there."""
    folder = project.telemetry().parent
    secret = tmp_path / "secret"
    secret.write_bytes(line(event_id="secret"))
    project.telemetry("good.ndjson").write_bytes(line(event_id="good"))
    project.telemetry("out.ndjson").symlink_to(secret)
    project.telemetry("back\\slash.ndjson").write_bytes(line(event_id="back"))
    project.telemetry("torn.ndjson.gz").write_bytes(PACKED[:-90])
    for raw in (b"/\xff.ndjson", b"/\\\xff.ndjson"):
        Path(os.fsdecode(os.fsencode(folder) + raw)).write_bytes(line(event_id="bytes"))
    no_file = no_files(folder)
    done = project.tokenest("build", telemetry="tokenest:telemetry/*.ndjson*")
    assert done.returncode == 3, done.stderr
    warnings = [text for text in done.stderr.splitlines() if text.startswith("warning: ")]
    for name, reason in {
        "back\\slash.ndjson": "its name holds a backslash",
        "\\xFF.ndjson": "its name is no UTF-8",
        "out.ndjson": "it is a link that leads out",
        "torn.ndjson.gz": "it does not unpack",
        "\\\\xFF.ndjson": "its name holds a backslash",
        **no_file,
    }.items():
        [warning] = [text for text in warnings if f"telemetry/{name} was set aside" in text]
        assert reason in warning
    assert len(warnings) == 5 + len(no_file)
    states = "select parse_filename(source_file), state from marts.files where state = 'not_a_file'"
    assert {name for name, _ in project.rows(states)} == no_file.keys() - {"circle.ndjson"}
    accepted = "select source_file, accepted from marts.files where lines > 0"
    assert project.rows(accepted) == [("telemetry/good.ndjson", 1)]
    assert project.rows("select count(*) from marts.files where is_in_flight") == [(0,)]

    project.telemetry("torn.ndjson.gz").write_bytes(PACKED)
    Path(os.fsdecode(os.fsencode(folder) + b"/\\\xff.ndjson")).unlink()  # it ends plain dbt
    project.land(telemetry="telemetry/[gt]*.ndjson*")
    assert project.rows(f"{accepted} order by 1") == [
        ("telemetry/good.ndjson", 1),
        ("telemetry/torn.ndjson.gz", 50),
    ]


# A build before whose landing another process takes a file away, so many times.
TAKEN_AWAY = """
import sys
from pathlib import Path
from tokenest_py.pipeline.plan.landing import Files
paths, land = [Path(name) for name in sys.argv[1:]], Files.to_land
def landing(*given):
    if paths and given[1].source == "tokenest":
        paths.pop().unlink()
    return land(*given)
Files.to_land = landing
from tokenest_py.__main__ import run
sys.exit(run(["build"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("times", "code"), [(2, 0), (3, 1)])
def test_a_file_that_goes_away_during_a_build(project: Project, times: int, code: int) -> None:
    """As the oldest of a rotation does: the rest lands, unless one goes each time it is tried."""
    project.telemetry("good.ndjson").write_bytes(line(event_id="good"))
    packed = [project.telemetry(f"old-{number}.ndjson.gz") for number in range(times)]
    for number, path in enumerate(packed):
        path.write_bytes(gzip.compress(line(event_id=f"old-{number}")))
    done = subprocess.run(
        [sys.executable, "-c", TAKEN_AWAY, *map(str, packed)],
        cwd=project.folder,
        env=project.environment("telemetry/*.ndjson*"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    if code:
        assert done.stderr.splitlines()[-1] == (
            "tokenest: telemetry file telemetry/old-0.ndjson.gz went away while it was read;"
            " build again"
        )
        assert project.tokenest("build", telemetry="telemetry/*.ndjson*").returncode == 0
    assert project.rows("select source_file, accepted from marts.files") == [
        ("telemetry/good.ndjson", 1)
    ]


@pytest.mark.slow
def test_plain_dbt_waits_for_no_fifo(project: Project) -> None:
    """It passes over what no wildcard lists, and takes a FIFO that is named for an empty file."""
    project.telemetry("good.ndjson").write_bytes(line(event_id="good"))
    no_files(project.telemetry().parent)
    for number, glob in enumerate(
        ["telemetry/*.ndjson", "telemetry/good.ndjson,telemetry/fifo.ndjson"]
    ):
        project.telemetry("good.ndjson").write_bytes(line(event_id="good") + line() * number)
        project.land(telemetry=glob)
        assert project.rows(
            "select parse_filename(source_file), lines from marts.files where lines > 0"
        ) == [("good.ndjson", 1 + number)]
