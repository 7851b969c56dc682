"""Opening files: every value of JSON, every row of a table, and a clear word for the rest."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import sqlite3
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenest_py.errors import TokenestError
from tokenest_py.pipeline.importing import containers
from tokenest_py.pipeline.importing.containers import tables_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OBJECTS = st.lists(
    st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.text())),
    max_size=8,
)


def rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    """All tables of a file with their rows."""
    with tables_of(path) as tables:
        return {table.name: list(table.rows(None)) for table in tables}


@given(OBJECTS, st.sampled_from([None, 2]), st.integers(1, 7))
def test_json_is_read_however_it_is_laid_out(
    objects: list[dict[str, Any]], indent: int | None, piece: int
) -> None:
    """One behind the other, printed over lines or as a list, wherever a piece of the file ends."""
    texts = [json.dumps(value, indent=indent) for value in objects]
    with patch.object(containers, "PIECE", piece):
        assert list(containers.json_rows(io.StringIO("\n".join(texts)))) == objects
        assert (
            list(containers.json_rows(io.StringIO(json.dumps(objects, indent=indent)))) == objects
        )


def test_what_is_no_object_is_one_unknown_row(tmp_path: Path) -> None:
    """A torn value at the end, and a list of numbers."""
    path = tmp_path / "x.json"
    path.write_text('{"a": 1}\n[2]\n{"torn": ', encoding="utf-8")
    assert rows(path) == {"": [{"a": 1}, {}, {}]}


@pytest.mark.parametrize(
    "bad",
    ['{"torn": ', "ready", "}", '{"a": ' + "9" * 5000 + "}", "[" * 100_000, '{"a": tru', '"\\u12"'],
)
def test_what_is_no_json_costs_its_line(bad: str) -> None:
    """The values behind it are read, wherever a piece of the file ends."""
    lines = f'{{"a": 1}}\n{bad}\n{{"b": 2}}\n{{"c": NaN}}\n'
    for piece in (1, 7, 1 << 20):
        with patch.object(containers, "PIECE", piece):
            found = list(containers.json_rows(io.StringIO(lines)))
        assert [row for row in found if row] == [{"a": 1}, {"b": 2}, {"c": None}]
        assert {} in found


@pytest.mark.parametrize("indent", [None, 2])
def test_an_object_behind_text_has_the_time_of_its_line(indent: int | None) -> None:
    """As a program's log begins its lines; what is torn there costs its line."""
    first, second = (json.dumps({"a": {"b": n}}, indent=indent) for n in (1, 2))
    log = (
        f'2026-06-01 08:00:00,123 INFO llm: {first}\nINFO started {{x}}\nINFO {{"torn": \n'
        f"INFO {second}\n"
    )
    for piece in (1, 7, 1 << 20):
        with patch.object(containers, "PIECE", piece):
            found = [row for row in containers.json_rows(io.StringIO(log)) if row]
        assert found == [
            {"@timestamp": "2026-06-01 08:00:00,123", "a": {"b": 1}},
            {"a": {"b": 2}},
        ]


@pytest.mark.parametrize(
    "before", ["[pod/gw-1/app] {}", "<134>1 {} host gw 12 - -", "\x1b[32mINFO\x1b[0m: {} -"]
)
def test_the_time_of_a_line_stands_behind_a_few_words(before: str) -> None:
    """As kubectl, syslog and coloured logs write them, and as a build reads them."""
    prefix = before.format("2026-06-01T08:00:00Z")
    for said in ('{"a": 1}', "a=1 b=2"):
        [row] = containers.json_rows(io.StringIO(f"{prefix} {said}\n"))
        assert row["@timestamp"] == "2026-06-01T08:00:00Z"


@pytest.mark.parametrize(
    "item",
    [
        {"Item": {"n": {"N": "12"}, "s": {"S": "x"}, "u": {"M": {"t": {"NULL": True}}}}},
        {
            "Count": 1,
            "Items": [{"n": {"N": "12"}, "s": {"S": "x"}, "u": {"M": {"t": {"S": None}}}}],
        },
        {"_id": {}, "n": {"$numberInt": "12"}, "s": {"$date": "x"}, "u": {"t": None}},
    ],
    ids=["an export of DynamoDB", "a scan of it", "an export of MongoDB"],
)
def test_a_value_is_read_without_its_type(item: dict[str, Any]) -> None:
    """As databases write it around each value that they export."""
    [row] = containers.json_rows(io.StringIO(json.dumps(item)))
    assert {name: row[name] for name in row if name != "_id"} == {
        "n": 12,
        "s": "x",
        "u": {"t": None},
    }
    other = {"Item": {"n": {"N": 1, "other": 2}}, "Items": ["x"], "u": {"S": 1}}
    assert list(containers.json_rows(io.StringIO(json.dumps(other)))) == [other]


def test_text_is_read_in_the_encoding_of_its_mark(tmp_path: Path) -> None:
    """UTF-16, as Windows writes it, and packed with gzip."""
    for name, text, row in [("x.json", '[{"a": "é"}]', {"a": "é"}), ("x.csv", "a;b\né;2\n", None)]:
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            (tmp_path / name).write_bytes(text.encode(encoding))
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode(encoding)))
            for path in (tmp_path / name, tmp_path / f"{name}.gz"):
                assert rows(path) == {"": [row or {"a": "é", "b": "2"}]}


def test_csv_keeps_its_cells(tmp_path: Path) -> None:
    """A newline and a comma in quotes, a mark at the start, tabs as another delimiter."""
    path = tmp_path / "x.csv"
    path.write_text('\ufeffa,b\n1,"x, y\nz"\n', encoding="utf-8")
    assert rows(path) == {"": [{"a": "1", "b": "x, y\nz"}]}
    path = tmp_path / "x.tsv"
    path.write_text("a\tb\n1\t2,3\n", encoding="utf-8")
    assert rows(path) == {"": [{"a": "1", "b": "2,3"}]}


def test_an_archive_is_its_members(tmp_path: Path) -> None:
    """JSON and CSV by name; a log of Inspect has its header with each sample."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/calls.json", '[{"a": 1}, {"a": 2}]')
        archive.writestr("a.csv", "a\n3\n")
        archive.writestr("notes.txt", "text")
    assert rows(path) == {
        "a.csv": [{"a": "3"}],
        "b/calls.json": [{"a": 1}, {"a": 2}],
        "notes.txt": [{}],
    }
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", '{"eval": {"run_id": "r"}}')
        archive.writestr("samples/1_epoch_1.json", '{"uuid": "s1"}')
        archive.writestr("summaries.json", '[{"uuid": "s1"}]')
    assert rows(path) == {"samples": [{"eval": {"run_id": "r"}, "samples": [{"uuid": "s1"}]}]}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_an_archive_of_tar_is_its_members(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """Packed as a whole or not; by what it holds, whatever its name."""
    (tmp_path / "app.log").write_text('INFO {"a": 1}\n', encoding="utf-8")
    (tmp_path / "t.csv").write_text("a\n3\n", encoding="utf-8")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(tmp_path / "t.csv", "logs/t.csv")
        tar.add(tmp_path / "app.log", "logs/app.log")
    (tmp_path / "bundle").write_bytes(pack(archive.getvalue()))
    assert rows(tmp_path / "bundle") == {"logs/t.csv": [{"a": "3"}], "logs/app.log": [{"a": 1}]}


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_what_bzip2_and_xz_packed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """JSON and CSV; a damaged file is named."""
    json_file, table = tmp_path / "x.jsonl.xz", tmp_path / "x.csv.xz"
    json_file.write_bytes(pack(b'{"a": 1}\n'))
    table.write_bytes(pack(b"a\n3\n"))
    assert rows(json_file) == {"": [{"a": 1}]}
    assert rows(table) == {"": [{"a": "3"}]}
    table.write_bytes(table.read_bytes()[:-9])
    with pytest.raises(TokenestError, match=r"x\.csv\.xz cannot be read: "):
        rows(table)


def test_a_codec_that_is_missing_is_named(tmp_path: Path) -> None:
    """Method 93 of zip; a packed log needs no import."""
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", "{}")
    packed = bytearray(path.read_bytes())
    central = packed.index(b"PK\x01\x02")
    packed[central + 10 : central + 12] = (93).to_bytes(2, "little")
    path.write_bytes(packed)
    with pytest.raises(TokenestError, match=r"header\.json is packed with zstd.*--to json"):
        rows(path)
    path = tmp_path / "x.json.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + b"x" * 20)
    with pytest.raises(TokenestError, match="a build reads its lines where it lies"):
        rows(path)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    """A missing one, a torn archive, a database that is none, bytes that are no text."""
    for name, content, message in [
        ("a.zip", b"PK\x03\x04" + b"x" * 40, "cannot be read: File is not a zip file"),
        ("b.db", b"SQLite format 3\0" + b"x" * 100, "cannot be read: "),
        ("c.json", b"\x89PNG\r\n\x1a\n\0\0\0\r", "is no text"),
        ("f.json", '[{"a": 1}]'.encode("utf-32"), "is no text"),
        ("e.json.gz", gzip.compress(b'[{"a": 1}]' * 99)[:-12], "cannot be read: "),
        ("d.parquet", b"PAR1" + b"x" * 40, "cannot be read: "),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TokenestError, match=message):
            rows(tmp_path / name)
    with pytest.raises(TokenestError, match="No such file"):
        rows(tmp_path / "nothing.csv")
    os.mkfifo(tmp_path / "fifo")
    for name, kind in (("fifo", "FIFO"), ("", "folder")):
        with pytest.raises(TokenestError, match=f"it is no file but a {kind}; name files"):
            rows(tmp_path / name)


def test_a_byte_that_is_no_text_costs_its_line(tmp_path: Path) -> None:
    """Lines before and behind it are read, packed or not; a table keeps its rows."""
    lines = b'{"a": 1}\n{"note": "caf\xe9"}\n{"b": 2}\n'
    (tmp_path / "x.json").write_bytes(lines)
    (tmp_path / "y.json").write_bytes(gzip.compress(lines))
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("m.json", lines)
        archive.writestr("u.json", '{"a": "é"}'.encode("utf-16"))
    found = [{"a": 1}, {}, {"b": 2}]
    assert rows(tmp_path / "x.json") == rows(tmp_path / "y.json") == {"": found}
    assert rows(tmp_path / "z.zip") == {"m.json": found, "u.json": [{"a": "é"}]}
    (tmp_path / "x.csv").write_bytes(b"a,note\n1,caf\xe9\n2,\n")
    assert [row["a"] for row in rows(tmp_path / "x.csv")[""]] == ["1", "2"]
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as database:
        database.execute("create table t as select 1 as a, cast(x'e9' as text) as note")
        database.execute("insert into t values (2, null)")
        database.commit()
    assert [row["a"] for row in rows(tmp_path / "x.db")["t"]] == [1, 2]


def test_damage_within_an_archive(tmp_path: Path) -> None:
    """A torn sample costs itself; a torn header, or a password, is named."""
    path = tmp_path / "x.eval"

    def write(header: str) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("header.json", header)
            archive.writestr("samples/1.json", '{"torn')
            archive.writestr("samples/2.json", '{"uuid": "s2"}')

    write('{"eval": 1}')
    assert rows(path) == {"samples": [{}, {"eval": 1, "samples": [{"uuid": "s2"}]}]}
    for header in ('{"torn', "[1]"):
        write(header)
        with pytest.raises(TokenestError, match=r"x\.eval: header\.json is no JSON object"):
            rows(path)
    packed = bytearray(path.read_bytes())
    packed[6] |= 1  # the bit that says encrypted, in both places
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(packed)
    with pytest.raises(TokenestError, match=r"json has a password; unpack it"):
        rows(path)
