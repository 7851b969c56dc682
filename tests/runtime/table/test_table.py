"""Loading coefficients: what is refused and how, what stays in use, and hot reload."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokenest_py
import vintages
from tokenest_py import Estimator, Recorder
from tokenest_py.errors import CoefficientsError
from tokenest_py.pipeline.settings import Settings
from tokenest_py.runtime.table import PACKAGED, Coefficients, load, parse, source
from tokenest_py.runtime.table.file import MAX_BYTES, MAX_ROWS, content_id
from tokenest_py.runtime.table.kinds import CONSTANTS

if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[[vintages.Rows], vintages.Rows]

PACKAGE = Path(tokenest_py.__file__).parent
STAYS = "the table that was in use stays"
GOOD = Path(PACKAGED).read_bytes()


def values(table: Coefficients) -> dict[str, Any]:
    """Everything that a table would answer with; without cells, levels change no answer."""
    apart = {"path", *(() if table.cells else ("levels", "model_level", "label_level"))}
    return {name: value for name, value in vars(table).items() if name not in apart}


def more(*rows: dict[str, Any]) -> Change:
    """A change that adds rows."""
    return lambda packaged: [*packaged, *rows]


def without(**keys: object) -> Change:
    """A change that drops the rows with these keys."""
    return lambda packaged: [
        row for row in packaged if any(row.get(key) != value for key, value in keys.items())
    ]


def test_packaged_defaults() -> None:
    """The packaged table carries its own hash, although loading does not check it again."""
    header = json.loads(GOOD.partition(b"\n")[0])
    assert header["coefficients_id"] == content_id(GOOD.partition(b"\n")[2])
    assert values(parse(GOOD, "packaged")) == values(load())
    assert set(load().constants) >= set(CONSTANTS)


def test_missing_files(tmp_path: Path) -> None:
    """A file that is not there leaves the packaged defaults, and strict raises."""
    missing = tmp_path / "missing.ndjson"
    status = Estimator.load(missing).status()
    assert (status.source, status.path) == ("packaged defaults", str(missing))
    assert status.fault == f"{missing}: cannot be opened (No such file or directory)"
    with pytest.raises(CoefficientsError, match="cannot be opened"):
        Estimator.load(missing, strict=True)


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TOKENEST_COEFFICIENTS names the file, and an argument goes before it."""
    head = vintages.write(tmp_path, vintages.head, "head.ndjson")
    old = vintages.write(tmp_path, vintages.phase_2, "old.ndjson")
    monkeypatch.setenv("TOKENEST_COEFFICIENTS", str(head))
    assert Estimator.load().status()[:2] == ("file", str(head))
    assert Estimator.load(old).status()[:2] == ("file", str(old))
    monkeypatch.setenv("TOKENEST_COEFFICIENTS", "")
    assert Estimator.load().status()[:2] == ("packaged defaults", PACKAGED)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", ":1: not a JSON object"),
        (b"\n", ":1: not a JSON object"),
        (b"[]\n", ":1: not a JSON object"),
        (b"{}\n", ":1: not the header"),
        (b"\xef\xbb\xbf" + GOOD, ":1: not a JSON object"),
        (GOOD.decode().encode("utf-16"), ":1: not a JSON object"),
        (b'{"a":' * 100_000, ":1: not a JSON object"),
        (GOOD.replace(b'"format_version":2', b'"format_version":3'), ":1: format_version 3"),
        (GOOD.replace(b'"format_version":2', b'"format_version":2.0'), ":1: format_version 2.0"),
        (GOOD.replace(b'"format_version":2', b'"format_version":true'), ":1: format_version True"),
        (GOOD[:-1], ":1: cut or edited"),
        (GOOD[: len(GOOD) // 2], ":1: cut or edited"),
        (GOOD + b"\n", ":1: cut or edited"),
        (GOOD.replace(b"2000", b"2001", 1), ":1: cut or edited"),
        (GOOD.replace(b'"rows":', b'"rows":1'), ":1: 1"),
    ],
)
def test_damaged_files(tmp_path: Path, data: bytes, message: str) -> None:
    """Whatever is wrong with the file as a whole is one line with its name."""
    path = tmp_path / "bad.ndjson"
    path.write_bytes(data)
    with pytest.raises(CoefficientsError) as caught:
        load(str(path))
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)
    assert Estimator.load(path).status()[:3] == (
        "packaged defaults",
        str(path),
        load().coefficients_id,
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"kind": "spell", "name": "a", "value": 1}, "unknown kind 'spell'"),
        ({"kind": None}, "unknown kind None"),
        ({"kind": ["constant"]}, "unknown kind"),
        ({"name": "a", "value": 1}, "unknown kind None"),
        ({"kind": "constant", "name": "a"}, "missing or unknown keys"),
        ({"kind": "constant", "name": "a", "value": 1, "note": "b"}, "missing or unknown keys"),
        ({"kind": "constant", "name": "a", "value": True}, "value is not a number"),
        ({"kind": "constant", "name": "a", "value": "1"}, "value is not a number"),
        ({"kind": "constant", "name": "a", "value": None}, "value is not a number"),
        ({"kind": "constant", "name": "a", "value": -101}, "value is not a number"),
        ({"kind": "constant", "name": "a", "value": 1e308}, "value is not a number"),
        ({"kind": "constant", "name": "a", "value": 10**400}, "value is not a number"),
        ({"kind": "constant", "name": "", "value": 1}, "name is not a text"),
        ({"kind": "constant", "name": "a" * 513, "value": 1}, "name is not a text"),
        ({"kind": "constant", "name": 5, "value": 1}, "name is not a text"),
        ({"kind": "constant", "name": "safety_margin", "value": 1}, "stands twice"),
        ({"kind": "multiplier", "category": "a", "value": 0}, "not between 0.01 and 100"),
        ({"kind": "multiplier", "category": "a", "value": 101}, "not between 0.01 and 100"),
        (vintages.budget(0.02, 1.5), "not a whole number of tokens"),
        (vintages.budget(0.02, 0), "not between 1 and"),
        (vintages.budget(0, 100), "max_truncation is not a number"),
        (vintages.budget(1, 100), "max_truncation is not a number"),
        (
            vintages.budget(0.02, 100, label="perhaps"),
            "'perhaps' is not one of identified, at_least",
        ),
        (vintages.budget(0.02, 100, input_bin=1.0), "input_bin is not a number"),
        (vintages.budget(0.02, 100, n=-1), "n is not a number"),
        (vintages.budget(0.02, 100, confidence=1.5), "confidence is not a number"),
        (
            {"kind": "deliverable_class", "position": 999, "name": "a", "method": "regex"},
            "'regex' is not one of prefix",
        ),
        (
            {"kind": "deliverable_class", "position": 999, "name": "a", "method": "suffix"},
            "a deliverable_class without a label needs the method any",
        ),
        ({"kind": "token_weight", "name": "a", "label": "gone", "value": 1}, "'gone' is not one"),
        ({"kind": "stop_reason", "name": "max_tokens", "label": "complete"}, "stands twice"),
        ([1], "not a JSON object"),
    ],
)
def test_impossible_rows(tmp_path: Path, row: object, message: str) -> None:
    """One impossible row refuses the file, by its line."""
    path = vintages.write(tmp_path, more(row))
    line = 1 + len(vintages.packaged_rows()) + 1
    with pytest.raises(CoefficientsError) as caught:
        load(str(path))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"value":NaN', "not a JSON object (NaN)"),
        ('"value":Infinity', "not a JSON object (Infinity)"),
        ('"value":1e400', "value is not a number"),
        ('"value":1,"value":2', "a key stands twice in an object"),
        ('"value" :1,"value":2', "a key stands twice in an object"),
        ('"value":1,"value"\t:2', "a key stands twice in an object"),
        ('"value":1,"v\\u0061lue":2', "a key stands twice in an object"),
        ('"value":{"b":1}', "value is not a number"),
        ('"value":1}{', "not a JSON object"),
        ('"value":1},{"kind":"constant","name":"b","value":2', "not a JSON object"),
    ],
)
def test_impossible_json(text: str, message: str) -> None:
    """What Python's JSON would let pass is refused too."""
    body = GOOD.partition(b"\n")[2] + f'{{"kind":"constant","name":"a",{text}}}\n'.encode()
    header = {"kind": "header", "format_version": 1, "coefficients_id": content_id(body)}
    rows = body.count(b"\n")
    data = json.dumps(header | {"rows": rows}).encode() + b"\n" + body
    with pytest.raises(CoefficientsError) as caught:
        parse(data, "file")
    assert str(caught.value).startswith(f"file:{rows + 1}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without(kind="constant", name="safety_margin"), "constant safety_margin is missing"),
        (
            without(kind="deliverable_class", method="any"),
            "no deliverable_class has the method any",
        ),
        (
            without(kind="token_weight", name="sql", label="new"),
            "token_weight sql new is missing",
        ),
        (without(kind="budget_buffer", name="always"), "budget_buffer always is missing"),
        (
            lambda rows: [row for row in rows if row["kind"] != "base_budget"],
            "base_budget without category and complexity is missing",
        ),
        (without(kind="file_size_factor", name="loc", position=4), "steps of loc do not rise"),
        (
            lambda rows: vintages.set_value(rows, 11, kind="constant", name="safety_margin"),
            "safety_margin is not between 0.1 and 10",
        ),
        (
            more(
                vintages.budget(0.02, 500, category="a"), vintages.budget(0.01, 499, category="a")
            ),
            "falls from 0.02 to 0.01 truncation",
        ),
    ],
)
def test_contradictions(tmp_path: Path, change: Change, message: str) -> None:
    """Rows that are possible one by one and not together refuse the file."""
    with pytest.raises(CoefficientsError, match=message):
        load(str(vintages.write(tmp_path, change)))


def test_monotone_quantiles(tmp_path: Path) -> None:
    """Equal budgets for two rates are monotone, and each cell stands by itself."""
    rows = (
        vintages.budget(0.02, 500, category="a"),
        vintages.budget(0.01, 500, category="a"),
        vintages.budget(0.001, 10, category="b"),
    )
    assert len(load(str(vintages.write(tmp_path, more(*rows)))).cells) == 2


def test_limits_on_size(tmp_path: Path) -> None:
    """More than 100,000 rows or 16 MiB are not read, be the file sparse or not."""
    many = [vintages.budget(0.02, 500, category=f"c{number}") for number in range(MAX_ROWS)]
    with pytest.raises(CoefficientsError, match="rows, at most 100000 are read"):
        load(str(vintages.write(tmp_path, more(*many))))
    sparse = tmp_path / "sparse.ndjson"
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(CoefficientsError, match=f"more than {MAX_BYTES} bytes"):
        load(str(sparse))


def test_only_regular_files(tmp_path: Path) -> None:
    """Folders, pipes and devices are refused without waiting; a link to a file is followed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, Path("/dev/zero")):
        with pytest.raises(CoefficientsError, match="not a regular file"):
            load(str(path))
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nothing")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for place in (dangling, loop, "a\x00b", "x" * 5000):
        with pytest.raises(CoefficientsError, match="cannot be opened"):
            load(str(place))
    link = tmp_path / "link"
    link.symlink_to(vintages.write(tmp_path, vintages.head))
    assert Estimator.load(link, strict=True).status().source == "file"


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        """Start anywhere."""
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time in seconds."""
        return self.now


def test_hot_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer file is taken when its time has come; a faulty one leaves the last good table."""
    clock = Clock()
    monkeypatch.setattr(source, "time", clock)
    looks = 0
    identity = source.file_identity

    def counted(path: str) -> tuple[int, ...]:
        nonlocal looks
        looks += 1
        return identity(path)

    monkeypatch.setattr(source, "file_identity", counted)
    path = vintages.write(tmp_path, vintages.phase_2)
    estimator = Estimator.load(path, reload_after=10)
    call = vintages.SIX_CALLS[0]

    def replace(data: bytes) -> None:
        new = tmp_path / "new"
        new.write_bytes(data)
        new.replace(path)

    replace(vintages.encode(vintages.head(vintages.packaged_rows())))
    clock.now += 9
    assert [estimator.estimate(*call).estimated_tokens for _ in range(50)] == [7020] * 50
    assert looks == 1
    clock.now += 1
    assert [estimator.estimate(*call).estimated_tokens for _ in range(50)] == [5244] * 50
    assert looks == 2
    assert estimator.status().reloads == 1

    replace(b"torn")
    clock.now += 10
    assert estimator.estimate(*call).estimated_tokens == 5244
    status = estimator.status()
    assert (status.source, status.reloads) == ("last good file", 1)
    assert status.fault.startswith(f"{path}:1: not a JSON object")

    path.unlink()
    clock.now += 10
    assert estimator.estimate(*call).estimated_tokens == 5244
    assert "No such file" in estimator.status().fault

    replace(vintages.encode(vintages.phase_2(vintages.packaged_rows())))
    clock.now += 10
    assert estimator.estimate(*call).estimated_tokens == 7020
    assert estimator.status()[:1] + estimator.status()[4:] == ("file", "", 2)


def test_a_newer_file_that_is_faulty_is_a_warning_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever replaced the file holds no estimator whose status would say so."""
    path = vintages.write(tmp_path, vintages.phase_2)
    estimator = Estimator.load(path, reload_after=0)
    for fault in (lambda: path.write_bytes(b"torn"), path.unlink):
        fault()
        for _ in range(3):
            estimator.estimate(*vintages.SIX_CALLS[0])
    assert [record.name for record in caplog.records] == ["tokenest"] * 2
    torn, gone = caplog.messages
    assert torn.startswith(f"{path}:1: not a JSON object")
    assert gone == f"{path}: cannot be opened (No such file or directory); {STAYS}"
    assert torn.endswith(STAYS)


def test_a_file_that_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was missing at the start is taken once it is there."""
    clock = Clock()
    monkeypatch.setattr(source, "time", clock)
    path = tmp_path / "coefficients.ndjson"
    estimator = Estimator.load(path, reload_after=1)
    vintages.write(tmp_path, vintages.head)
    clock.now += 1
    assert estimator.estimate(*vintages.SIX_CALLS[0]).estimated_tokens == 5244
    assert estimator.status()[:1] + estimator.status()[4:] == ("file", "", 1)


def test_the_working_directory_does_not_move_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that changes it takes up the next table all the same."""
    path = vintages.write(tmp_path, vintages.phase_2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKENEST_COEFFICIENTS", path.name)
    estimator = Estimator.load(reload_after=0)
    monkeypatch.chdir("/")
    vintages.write(tmp_path, vintages.head)
    assert estimator.estimate(*vintages.SIX_CALLS[0]).estimated_tokens == 5244
    assert estimator.status()[:2] == ("file", str(path))


def test_the_home_folder_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit, a crontab and an `.env` expand no `~`: what the commands write is what is read."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in {
        "TOKENEST_COEFFICIENTS": f"~/{vintages.write(tmp_path, vintages.phase_2).name}",
        "TOKENEST_TELEMETRY_DIR": "~/telemetry",
        "TELEMETRY_DB_ENABLED": "1",
    }.items():
        monkeypatch.setenv(name, value)
    read = Settings.read()
    assert Estimator.load().status()[:2] == ("file", str(read.coefficients))
    recorder = Recorder.from_env()
    assert recorder.record(run_id="r", phase_id="p", actual_output_tokens=5)
    assert read.telemetry_folder == tmp_path / "telemetry"
    assert len(list(read.telemetry_folder.iterdir())) == 1


def test_within_a_zipapp(tmp_path: Path) -> None:
    """The packaged table is there, and stands in for a file that is not."""
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as app:
        for path in PACKAGE.rglob("*"):
            if path.suffix in (".py", ".ndjson") and "pipeline" not in path.parts:
                app.write(path, path.relative_to(PACKAGE.parent))
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r}); import tokenest_py as t;"
        "print(*(t.Estimator.load(path).status()[:3:2] for path in (None, '/none')))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    shown = str(Estimator.load().status()[:3:2])
    assert (done.stdout, done.stderr) == (f"{shown} {shown}\n", "")


def test_no_reload_unless_asked(tmp_path: Path) -> None:
    """Without reload_after the file is read once."""
    path = vintages.write(tmp_path, vintages.phase_2)
    estimator = Estimator.load(path)
    path.write_bytes(b"torn")
    assert estimator.estimate(*vintages.SIX_CALLS[0]).estimated_tokens == 7020
    assert estimator.status().fault == ""


@settings(max_examples=500)
@given(data=st.data())
def test_mutations_are_never_accepted_with_other_values(data: st.DataObject) -> None:
    """A file with a few bytes changed, cut or repeated is refused, or means the same."""
    mutated = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        last = len(mutated) - 1
        at = data.draw(st.one_of(st.integers(0, min(120, last)), st.integers(0, last)))
        kind = data.draw(st.sampled_from(["flip", "set", "cut", "drop", "repeat"]))
        if kind == "flip":
            mutated[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "set":
            mutated[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del mutated[max(at, 1) :]
        elif kind == "drop":
            del mutated[at : at + data.draw(st.integers(1, 40))]
        else:
            mutated[at:at] = mutated[at : at + data.draw(st.integers(1, 40))]
        if len(mutated) < 2:
            break
    try:
        table = parse(bytes(mutated), "mutated")
    except CoefficientsError:
        return
    assert values(table) == values(load())


@settings(max_examples=300)
@given(st.binary(max_size=300), st.integers(0, 2000))
def test_any_bytes_give_a_table_or_the_one_error(tail: bytes, cut: int) -> None:
    """Even with a matching hash, any rows give a table or a CoefficientsError, nothing else."""
    body = GOOD.partition(b"\n")[2][: cut * 20] + tail + b"\n"
    header = {"kind": "header", "format_version": 1, "coefficients_id": content_id(body)}
    data = json.dumps(header | {"rows": body.count(b"\n")}).encode() + b"\n" + body
    with pytest.raises(CoefficientsError, match=r"^rows"):
        parse(data, "rows")
