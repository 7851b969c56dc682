"""A large file lands in parts as it would have landed at once."""

from __future__ import annotations

import hashlib
import json
import os
import random
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbt_project import ROOT, Project, line
from histories import History
from tokenest_py.pipeline.plan import parts, session

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = (
    "staging.base_telemetry__files", "staging.base_tokenest__lines", "staging.base_origin__lines",
    "staging.base_answers__lines", "marts.files",
)  # fmt: skip
CALL = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1767225600, "model": "gpt-4o",
    "choices": [{"finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 80},
}  # fmt: skip


@contextmanager
def in_parts(*, is_on: bool = True) -> Iterator[None]:
    """Files of more than a few lines are large in here."""
    with pytest.MonkeyPatch.context() as patch:
        if is_on:
            patch.setattr(session, "_PARTS_OF_MEMORY", 2**60)
            patch.setattr(session, "_LEAST_PART", 900)
            patch.setattr(parts, "_BLOCK", 400)
        yield


def rows(project: Project) -> dict[str, list[tuple[object, ...]]]:
    """What landed, table by table."""
    return {table: project.rows(f"select * from {table} order by all") for table in TABLES}


def answer(number: int) -> str:
    """An answer with an identity of its own."""
    return json.dumps(CALL | {"id": f"chatcmpl-{number}"})


def of_docker(number: int, stream: str = "stdout") -> list[str]:
    """The lines of an answer that Docker cut."""
    text, time = answer(number), f"2026-01-01T00:00:{number % 60:02}Z"
    pieces = [text[:70], text[70:140], text[140:] + "\n"]
    return [json.dumps({"log": piece, "stream": stream, "time": time}) for piece in pieces]


def of_kubernetes(number: int) -> list[str]:
    """The lines of an answer that a container runtime cut."""
    text, time = answer(number), f"2026-01-01T00:00:{number % 60:02}.000000000Z"
    return [f"{time} stdout P {text[:90]}", f"{time} stdout F {text[90:]}"]


LOGS = {
    "docker.log": [piece for number in range(40) for piece in of_docker(number)],
    "kubernetes.log": [piece for number in range(40) for piece in of_kubernetes(number)],
    "text.log": [
        text
        for number in range(40)
        for text in (f"2026-01-02 03:04:05,678 INFO {answer(number)}", "Traceback:", "  in f")
    ],
    "document.json": json.dumps([json.loads(answer(n)) for n in range(30)], indent=1).split("\n"),
}


@pytest.mark.slow
def test_histories_of_files(tmp_path: Path) -> None:
    """Build by build the same lines, places and marks, however files grew and turned over."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "parted").mkdir()
    whole, parted = Project(tmp_path / "whole"), Project(tmp_path / "parted")
    folder = whole.telemetry().parent
    history = History(random.Random(5))
    written = []
    write_part = parts.write_part

    def counted(path: Path, part: parts.Part, into: Path) -> int:
        written.append(part)
        return write_part(path, part, into)

    for step in range(3):
        history.grow(step)
        history.write(folder, step)
        whole.build("files", "int_lines", telemetry=f"{folder}/*")
        with in_parts(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(parts, "write_part", counted)
            parted.build("files", "int_lines", telemetry=f"{folder}/*")
        assert rows(parted) == rows(whole), step
    assert len(written) > 20
    assert not list(parted.folder.glob("*.parts"))


@pytest.mark.slow
@pytest.mark.parametrize("is_final", [False, True])
def test_logs_of_others(tmp_path: Path, *, is_final: bool) -> None:
    """What carried the lines is known in each part, and none ends within a line that was cut."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, texts in LOGS.items():
        (folder / name).write_text("\n".join(texts) + "\n", encoding="utf-8")
    marked = b"\xef\xbb\xbf" + b"\r\n".join([b'{"a": 1}', *[line()[:-1]] * 9, line()[:-9]])
    (folder / "marked.ndjson").write_bytes(marked)
    long = line(event_id="e-1") + line(event_id="e-2", model="m" * 3000) + b"\xff\n" + line()
    (folder / "long.ndjson").write_bytes(long * 2)
    found = []
    for is_on in (False, True):
        (tmp_path / str(is_on)).mkdir()
        project = Project(tmp_path / str(is_on))
        left = Path(f"{project.database}.parts")
        left.mkdir()
        (left / "part").write_text("what a kill left", encoding="utf-8")
        for time in (1_700_000_000, 1_700_000_001):  # the second finds what has landed
            for path in folder.iterdir():
                os.utime(path, (time,) * 2)
            with in_parts(is_on=is_on):
                globs = f"{folder}/*,{left}/*"  # which match the parts, too
                project.build("files", "int_lines", telemetry=globs, final=is_final)
        found.append(rows(project))
        assert not left.exists()
    assert found[0] == found[1]
    calls = "select count(*) from staging.base_answers__lines where event_key is not null"
    assert project.rows(calls) == [(40 + 40 + 40 + 30,)]


@pytest.mark.slow
def test_a_copy_is_no_second_place(tmp_path: Path) -> None:
    """A small file and a large one hold what has landed: its own place counts."""
    folder = tmp_path / "logs"
    folder.mkdir()
    first = b"".join(line(event_id=f"e-{number}") for number in range(2))
    found = []
    for is_on in (False, True):
        (tmp_path / str(is_on)).mkdir()
        project = Project(tmp_path / str(is_on))
        for name, content in (
            ("app.log", first), ("app.bak", first),
            ("app.log", first + b"".join(line(event_id=f"f-{number}") for number in range(6))),
        ):  # fmt: skip
            (folder / name).write_bytes(content)
            os.utime(folder / name, (1_700_000_000 + len(content),) * 2)
            if name == "app.log":
                with in_parts(is_on=is_on):
                    project.build("files", "int_lines", telemetry=f"{folder}/*")
        found.append(rows(project))
        for path in folder.iterdir():
            path.unlink()
    assert found[0] == found[1]
    assert len(found[0]["marts.files"]) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    lines=st.lists(st.binary(max_size=30), min_size=1, max_size=30),
    landed=st.integers(0, 12), most=st.integers(1, 60), is_final=st.booleans(),
)  # fmt: skip
def test_parts_are_the_file(
    tmp_path: Path, lines: list[bytes], landed: int, most: int, *, is_final: bool
) -> None:
    """Together they are what had not landed; the hash is of all that lands."""
    content = b"\n".join(lines)
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_BLOCK", 16)
        found = parts.cut(path, landed, most, is_final=is_final)
    there = len(content) if is_final else content.rfind(b"\n") + 1
    assert (found.file_bytes, found.landed_bytes) == (len(content), there)
    assert found.landed_md5 == hashlib.md5(content[:there]).hexdigest()
    rest = b"\n".join(content.split(b"\n")[landed:]) if content.count(b"\n") >= landed else b""
    is_new = len(content) - len(rest) < there if rest else False
    written = b"".join(content[part.start : part.end] for part in found.parts)
    assert written == (rest if is_new else b"")
    for part in found.parts:
        assert part.lines == content[: part.start].count(b"\n")
        assert b"\n" in content[part.start : part.end] or is_final


def test_the_head_is_what_sql_looks_at() -> None:
    """As many lines as decide what carried the lines of a file."""
    macro = (ROOT / "macros/landing/file_sources.sql").read_text(encoding="utf-8")
    assert f"macro head_lines() %}}{{{{ return({parts.HEAD_LINES}) }}}}" in macro
