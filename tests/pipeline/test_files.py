"""A file that cannot be read costs itself: it is named, and the others land."""

from __future__ import annotations

import gzip
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbt_project import Project, line
from tokenest_py.pipeline.files import files_to_set_aside
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
PACKED = gzip.compress(b"".join(line(event_id=f"p-{n}") for n in range(50)))


def set_aside(folder: Path, glob: str = "**/*.ndjson*") -> dict[str, str]:
    """The reasons, by the path within the folder."""
    said = Settings.read({"TOKENEST_TELEMETRY": f"{folder}/{glob}",
                          "TOKENEST_DB": f"{folder}/none.duckdb"})  # fmt: skip
    found = files_to_set_aside(said)
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
    (tmp_path / "folder.ndjson").mkdir()
    assert set_aside(tmp_path) == {}


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


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & set(b"/\0")))
def test_no_name_of_a_file_stops_anything(name: bytes) -> None:
    """A name is listed by DuckDB, or named here; what is no UTF-8 the landing names itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.fsencode(folder) + b"/f" + name + b".ndjson"
        with open(path, "wb") as file:  # noqa: PTH123 - pathlib takes text
            file.write(line())
        reasons = set_aside(Path(folder))
        assert list(reasons) == ([os.fsdecode(b"f" + name + b".ndjson")] if b"\\" in name else [])


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
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.ndjson")).write_bytes(line(event_id="bytes"))
    done = project.tokenest("build", telemetry="telemetry/*.ndjson*")
    assert done.returncode == 3, done.stderr
    warnings = [text for text in done.stderr.splitlines() if text.startswith("warning: ")]
    for name, reason in {
        "back\\slash.ndjson": "its name holds a backslash",
        "\\xFF.ndjson": "its name is no UTF-8",
        "out.ndjson": "it is a link that leads out",
        "torn.ndjson.gz": "it does not unpack",
    }.items():
        [warning] = [text for text in warnings if f"telemetry/{name} was set aside" in text]
        assert reason in warning
    assert len(warnings) == 4
    accepted = "select source_file, accepted from marts.files where lines > 0"
    assert project.rows(accepted) == [("telemetry/good.ndjson", 1)]
    assert project.rows("select count(*) from marts.files where is_in_flight") == [(0,)]

    project.telemetry("torn.ndjson.gz").write_bytes(PACKED)
    project.land(telemetry="telemetry/[gt]*.ndjson*")
    assert project.rows(f"{accepted} order by 1") == [
        ("telemetry/good.ndjson", 1),
        ("telemetry/torn.ndjson.gz", 50),
    ]
