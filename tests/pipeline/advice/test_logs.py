"""Paths that a stranger names become globs that match those files and, if possible, no other."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenest_py.errors import NoDataError, UsageError
from tokenest_py.pipeline.advice.logs import find_logs
from tokenest_py.pipeline.settings import Settings

NOBODY = 65534
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\\0\n", exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=20,
).filter(lambda name: not name.startswith((".", "~")))


def matched(globs: tuple[str, ...]) -> list[str]:
    """The files that a build would land, through the settings that it reads them from."""
    read = Settings.read({"TOKENEST_TELEMETRY": ",".join(globs)})
    with duckdb.connect() as connection:
        found = connection.execute("select file from glob(?)", [list(read.telemetry)]).fetchall()
    return sorted({file for (file,) in found})


def test_a_folder_is_searched_for_what_sql_reads(tmp_path: Path) -> None:
    """Plain, packed and rotated logs at any depth; the rest is for the import, or passed over."""
    rotated = ["b/e/f.log-20260601.gz", "b/e/f.log.1", "b/e/f.log.2.gz"]
    to_import = ["b/g.db", "b/j.HAR", "b/k.tar.gz"]
    others = [*to_import, "b/h.txt", "b/i.py.1"]
    wanted = ["a.jsonl", "b/c.ndjson", "b/d.json.gz", "b/e/f.log", *rotated]
    for name in (*wanted, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}\n")
    logs = find_logs([str(tmp_path)])
    assert matched(logs.globs) == [str(tmp_path / name) for name in wanted]
    assert logs.files == len(wanted)
    assert logs.to_import == tuple(tmp_path / name for name in to_import)


def test_the_word_of_a_source_stays_in_front(tmp_path: Path) -> None:
    """For a file and for a folder; a glob is taken as it is."""
    (tmp_path / "x.jsonl").write_text("{}\n")
    assert find_logs([f"codex:{tmp_path}"]).globs == (f"codex:{tmp_path}/**/*.jsonl",)
    assert find_logs([f"otel:{tmp_path}/x.jsonl"]).globs == (f"otel:{tmp_path}/x.jsonl",)
    assert find_logs([f"{tmp_path}/*.jsonl"]).globs == (f"{tmp_path}/*.jsonl",)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES)
def test_any_name_is_found(tmp_path: Path, name: str) -> None:
    """Commas, colons, brackets and stars mean nothing; a backslash is a separator for DuckDB."""
    place = tmp_path / name
    try:
        place.mkdir(exist_ok=True)
        (place / "x.jsonl").write_text("{}\n")
    except OSError:
        return  # the file system has no such name
    path = str(place / "x.jsonl")
    assert path in matched(find_logs([path]).globs)
    assert path in matched(find_logs([str(place)]).globs)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    """Nothing there, nothing of use there, or something that another command reads."""
    with pytest.raises(UsageError, match="a file or a folder that exists"):
        find_logs([str(tmp_path / "nothing")])
    with pytest.raises(NoDataError, match=r"none of the files ends in \.ndjson"):
        find_logs([str(tmp_path)])
    (tmp_path / "linked").symlink_to("elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(NoDataError, match=r"linked is a link, which is not followed: name it"):
        find_logs([str(tmp_path)])
    (tmp_path / "logs.db").write_bytes(b"")
    with pytest.raises(NoDataError, match=r"run `tokenest import .*logs.db`"):
        find_logs([str(tmp_path)])
    with pytest.raises(NoDataError, match=r"run `tokenest import .*logs.db`"):
        find_logs([str(tmp_path / "logs.db")])


def test_a_folder_that_is_closed_is_named() -> None:
    """It holds no log that anybody could see."""
    with tempfile.TemporaryDirectory() as name:
        folder, user = Path(name, "closed"), os.geteuid()
        Path(name).chmod(0o755)
        folder.mkdir(mode=0)
        try:
            if user == 0:
                os.seteuid(NOBODY)  # modes do not bind root
            with pytest.raises(NoDataError, match=r"closed cannot be listed \(Permission denied"):
                find_logs([str(folder)])
        finally:
            os.seteuid(user)


def test_the_home_folder_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in a quoted path, as in an unquoted one."""
    monkeypatch.setitem(os.environ, "HOME", str(tmp_path))
    (tmp_path / "x.jsonl").write_text("{}\n")
    assert find_logs(["~/x.jsonl"]).globs == (f"{tmp_path}/x.jsonl",)
