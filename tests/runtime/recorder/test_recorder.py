"""What the recorder writes, what it refuses, and what it makes private."""

from __future__ import annotations

import csv
import enum
import json
import logging
import os
import re
import stat
import threading
import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorded import EVENT, REQUIRED, events, lines
from tokenest_py.errors import DroppedEventError, UsageError
from tokenest_py.runtime.recorder import Recorder
from tokenest_py.runtime.recorder.record import EVENT_FIELDS, encode_event
from tokenest_py.runtime.rules import ESTIMATOR_VERSION

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A telemetry folder that does not exist yet."""
    return tmp_path / "telemetry" / "recorded"


@pytest.fixture
def recorder(folder: Path) -> Recorder:
    """A recorder that is on."""
    return Recorder(folder, enabled=True)


def holds(recorder: Recorder, written: int, dropped: dict[str, int]) -> bool:
    """Whether the status has these counts, and adds up."""
    status = recorder.status()
    assert status.attempts - status.written == sum(status.dropped.values())
    return (status.written, status.dropped) == (written, dropped)


# The origin's five regression tests (token_estimation_v2 telemetry).


@pytest.mark.parametrize("value", [None, "", "0", "false", "no", "on", "2", "y"])
def test_off_by_default(
    value: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is written or counted unless the switch says 1, true or yes; the log says so."""
    monkeypatch.delenv("TELEMETRY_DB_ENABLED", raising=False)
    if value is not None:
        monkeypatch.setenv("TELEMETRY_DB_ENABLED", value)
    monkeypatch.setenv("TOKENEST_TELEMETRY_DIR", str(tmp_path / "telemetry"))
    for recorder in (Recorder.from_env(), Recorder(tmp_path / "telemetry")):
        assert recorder.record(**EVENT) is False
        assert recorder.record_response(None, object()) is False
        recorder.close()
        assert not recorder.status().enabled
        assert holds(recorder, 0, {})
    assert not list(tmp_path.iterdir())
    said = f"TELEMETRY_DB_ENABLED={value!r} is not 1, true or yes: it is off"
    assert caplog.messages == [said] * (2 if value in ("on", "2", "y") else 0)


@pytest.mark.parametrize("value", ["1", "true", "TRUE", "yes", "Yes"])
def test_writes_every_field_when_on(
    value: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the switch on, the event lands field for field."""
    monkeypatch.setenv("TELEMETRY_DB_ENABLED", value)
    monkeypatch.setenv("TOKENEST_TELEMETRY_DIR", str(folder))
    recorder = Recorder.from_env()
    assert recorder.record(**EVENT) is True
    assert events(folder) == [EVENT]
    assert set(EVENT) == EVENT_FIELDS
    assert holds(recorder, 1, {})


@pytest.mark.parametrize(("predicted", "actual"), [(1200, 800), (500, 700)])
def test_underestimates_are_stored_as_they_are(
    predicted: int, actual: int, recorder: Recorder, folder: Path
) -> None:
    """Only the two figures are stored: error, ratio and underestimation are computed in SQL."""
    assert recorder.record(
        **EVENT | {"predicted_output_tokens": predicted, "actual_output_tokens": actual}
    )
    (event,) = events(folder)
    assert (event["predicted_output_tokens"], event["actual_output_tokens"]) == (predicted, actual)
    assert not {"smape_percent", "waste_ratio", "underestimated"} & set(event)


def test_deliverables_are_cut(recorder: Recorder, folder: Path) -> None:
    """20 deliverables of at most 200 characters are kept, and the original count."""
    given_paths = [f"src/file_{n}.py" for n in range(25)] + ["src/" + "x" * 300 + ".py"]
    long_first = [given_paths[-1], *given_paths[:-1]]
    assert recorder.record(**REQUIRED, deliverables=given_paths)
    assert recorder.record(**REQUIRED, deliverables=long_first)
    assert recorder.record(**REQUIRED, deliverables=["x" * 200])
    first, second, third = events(folder)
    assert first["deliverables"] == given_paths[:20]
    assert first["deliverable_count"] == second["deliverable_count"] == 26
    assert second["deliverables"][0] == given_paths[-1][:197] + "..."
    assert third["deliverables"] == ["x" * 200]


def test_a_fault_is_no_error_of_the_caller(tmp_path: Path) -> None:
    """A folder that cannot be made costs the event, which is counted with its reason."""
    (tmp_path / "file").write_text("")
    recorder = Recorder(tmp_path / "file", enabled=True)
    assert recorder.record(**EVENT) is False
    assert holds(recorder, 0, {"EEXIST": 1})


# The record.


def test_fields_are_those_that_landing_reads() -> None:
    """The recorder knows the fields of an event that landing reads, and no other."""
    with (PROJECT / "models/staging/tokenest/fields.csv").open(encoding="utf-8") as file:
        landed = {row["field"] for row in csv.DictReader(file) if not row["record"]}
    derived = {"smape_percent", "waste_ratio", "underestimated"}
    assert landed == EVENT_FIELDS | derived


def test_time_and_id_are_filled_in(recorder: Recorder, folder: Path) -> None:
    """Without them, an event gets the time in UTC and an id of its own."""
    before = datetime.now(UTC)
    for _ in range(100):
        assert recorder.record(**REQUIRED, event_id=None, occurred_at=None)
    after = datetime.now(UTC)
    recorded = events(folder)
    assert len({event["event_id"] for event in recorded}) == 100
    times = [event["occurred_at"] for event in recorded]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time) for time in times)
    assert before <= datetime.fromisoformat(times[0]) <= datetime.fromisoformat(times[-1]) <= after


@pytest.mark.parametrize(
    ("given_time", "written"),
    [
        (
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None),
            "2026-01-02T03:04:05.000000Z",
        ),
        (
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-5))),
            "2026-01-02T08:04:05.000000Z",
        ),
        ("2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05.000000Z"),
        ("2026-01-02 03:04:05.123456789", "2026-01-02T03:04:05.123456Z"),
    ],
)
def test_times_are_written_in_utc(
    given_time: datetime | str, written: str, recorder: Recorder, folder: Path
) -> None:
    """A time without an offset is taken as UTC, as landing takes it."""
    assert recorder.record(**REQUIRED, occurred_at=given_time)
    assert events(folder)[0]["occurred_at"] == written


def test_every_record_names_the_coefficients_and_the_estimator(
    recorder: Recorder, folder: Path
) -> None:
    """Both are members of every record: a null id where nobody said, the version of this one."""
    assert recorder.record(**REQUIRED)
    (event,) = events(folder)
    assert event["coefficients_id"] is None
    assert event["estimator_version"] == ESTIMATOR_VERSION


def test_an_event_without_output_is_dropped(recorder: Recorder, folder: Path) -> None:
    """Absent and None are both missing."""
    assert not recorder.record(run_id="r", phase_id="p")
    assert not recorder.record(run_id="r", phase_id="p", actual_output_tokens=None)
    assert holds(recorder, 0, {"missing_actual_output_tokens": 2})
    assert not lines(folder)


@pytest.mark.parametrize("absent", [{}, {"run_id": None, "phase_id": ""}])
def test_run_and_phase_are_what_landing_takes(
    absent: dict[str, Any], recorder: Recorder, folder: Path
) -> None:
    """Where nobody gives them: no event is lost for a name of where it belongs."""
    assert recorder.record(actual_output_tokens=5, **absent)
    (event,) = events(folder)
    assert (event["run_id"], event["phase_id"]) == ("unknown", event["event_id"])


@pytest.mark.parametrize("value", [12.7, "12", True, -1, 2**53, float("nan"), float("inf"), [1]])
def test_a_wrong_number_drops_the_event(value: object, recorder: Recorder, folder: Path) -> None:
    """As landing would reject the line, the recorder refuses the value."""
    values: dict[str, Any] = {**EVENT, "input_tokens": value}
    assert not recorder.record(**values)
    assert holds(recorder, 0, {"invalid_input_tokens": 1})
    assert not lines(folder)


@pytest.mark.parametrize(
    "value",
    [
        "backend_new:1",
        {"backend_new": 2000},
        ["backend_new"],
        ["backend_new:1:?"],
        [1],
        ["x:1"] * 401,
    ],
)
def test_what_is_no_breakdown_drops_the_event(
    value: object, recorder: Recorder, folder: Path
) -> None:
    """Tokens by class, as an estimate shows them, do not say how many files there were."""
    values: dict[str, Any] = {**EVENT, "breakdown": value}
    assert not recorder.record(**values)
    assert holds(recorder, 0, {"invalid_breakdown": 1})
    assert not lines(folder)


@pytest.mark.parametrize(
    ("given_labels", "written", "left_out"),
    [
        ({"project": "Web", "tenant": 7}, {"project": "Web", "tenant": "7"}, 0),
        ({"project": None, "tenant": ""}, None, 0),
        ({"project": "x" * 128, "tenant": "x" * 129}, {"project": "x" * 128}, 1),
        (
            {"project": "\N{ROCKET}" * 64, "tenant": "\N{ROCKET}" * 65},
            {"project": "\N{ROCKET}" * 64},
            1,
        ),
        (
            {"Project": "a", "1x": "a", "x" * 33: "a", "": "a", 5: "a", "ok_1": "a"},
            {"ok_1": "a"},
            5,
        ),
        ({"project": ["a"], "tenant": 1.5, "route": b"a"}, None, 3),
        ({f"label{n}": "a" for n in range(10)}, {f"label{n}": "a" for n in range(8)}, 2),
        ("project=web", None, 1),
        ({"project": "a\x00b"}, {"project": "a\ufffdb"}, 0),
    ],
)
def test_no_event_is_lost_for_a_label(
    given_labels: object, written: object, left_out: int, recorder: Recorder, folder: Path
) -> None:
    """A label that cannot be one is left out and counted; the event and its other labels stay."""
    values: dict[str, Any] = {**REQUIRED, "labels": given_labels}
    assert recorder.record(**values)
    (event,) = events(folder)
    assert event.get("labels") == written
    assert recorder.status().unknown_fields == left_out


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, True, "0.02", float("nan")])
def test_what_is_no_rate_drops_the_event(value: object, recorder: Recorder, folder: Path) -> None:
    """A rate of truncation lies between 0 and 1."""
    values: dict[str, Any] = {**EVENT, "max_truncation": value}
    assert not recorder.record(**values)
    assert holds(recorder, 0, {"invalid_max_truncation": 1})
    assert not lines(folder)


class Label(enum.Enum):
    """A label as an application may keep it."""

    LOW = "low"


class TextLabel(enum.StrEnum):
    """A label that is a text as well."""

    LOW = "low"


class WholeNumber:
    """As the whole numbers of numpy: no int, but an index."""

    def __index__(self) -> int:
        """Return the number."""
        return 7


def test_equivalent_types_are_taken(recorder: Recorder, folder: Path) -> None:
    """Ids as numbers and UUIDs, labels as enumerations, counts as whole floats."""
    run_id = uuid.uuid4()
    assert recorder.record(
        run_id=run_id,
        phase_id=7,
        actual_output_tokens=800.0,
        input_tokens=WholeNumber(),
        category=Label.LOW,
        complexity=TextLabel.LOW,
    )
    (event,) = events(folder)
    assert (event["run_id"], event["phase_id"]) == (str(run_id), "7")
    assert (event["actual_output_tokens"], event["input_tokens"]) == (800, 7)
    assert event["category"] == event["complexity"] == "low"


class Deliverable:
    """A deliverable as an object."""

    path = "src/object.py"
    action = "create"


@pytest.mark.parametrize(
    ("deliverables", "kept"),
    [
        ("src/one.py", ["src/one.py"]),
        (PurePosixPath("src/one.py"), ["src/one.py"]),
        (Deliverable(), ["create src/object.py"]),
        (
            [{"path": PurePosixPath("a.py")}, {"path": "b.py", "action": "modify"}],
            ["a.py", "modify b.py"],
        ),
        ({"code": ["a.py", ("b.py",)], "tests": {"unit": "c.py"}}, ["a.py", "b.py", "c.py"]),
        ((name for name in ("a.py", "b.py")), ["a.py", "b.py"]),
        (["a.py", None, "  ", " b.py "], ["a.py", "b.py"]),
        ([], []),
    ],
)
def test_deliverables_are_taken_as_the_estimator_takes_them(
    deliverables: object, kept: list[str], recorder: Recorder, folder: Path
) -> None:
    """One text is one deliverable; nested ones are walked; generators are read."""
    assert recorder.record(**REQUIRED, deliverables=deliverables)
    (event,) = events(folder)
    assert (event["deliverables"], event["deliverable_count"]) == (kept, len(kept))


def test_a_given_deliverable_count_stands(recorder: Recorder, folder: Path) -> None:
    """The caller may have cut the list already."""
    assert recorder.record(**REQUIRED, deliverables=["a.py"], deliverable_count=40)
    assert recorder.record(deliverable_count=40, deliverables=["a.py"], **REQUIRED)
    assert [event["deliverable_count"] for event in events(folder)] == [40, 40]


def test_unknown_fields_are_left_out_and_counted(
    recorder: Recorder, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A prompt or an answer has no field to land in; the event itself is kept."""
    fields: dict[str, Any] = {**REQUIRED, "prompt": "the secret", "response": {"text": "answer"}}
    with caplog.at_level(logging.WARNING):
        assert recorder.record(**fields)
        assert recorder.record(**fields)
    assert "secret" not in "".join(lines(folder)) + caplog.text
    assert recorder.status().unknown_fields == 4
    assert len(caplog.records) == 1
    assert holds(recorder, 2, {})


def test_a_text_too_long_for_a_name_is_refused(recorder: Recorder) -> None:
    """A prompt handed over as a category by mistake does not get into the file."""
    assert recorder.record(**REQUIRED, category="c" * 200)
    assert not recorder.record(**REQUIRED, category="c" * 201)
    assert holds(recorder, 1, {"invalid_category": 1})


def test_control_characters_and_surrogates_are_replaced(recorder: Recorder, folder: Path) -> None:
    """What a terminal would obey or a JSON reader refuse is no part of a name or a path."""
    hostile = "a\x1b[31m\nb\ud800\u2028c"
    assert recorder.record(**REQUIRED, category=hostile, deliverables=[hostile, "src\\ünï.py"])
    (event,) = events(folder)
    assert event["category"] == event["deliverables"][0] == "a�[31m�b��c"
    assert event["deliverables"][1] == "src\\ünï.py"


def test_the_first_drop_of_a_reason_is_said_once(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """The host's log has one line a reason, without any value."""
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            recorder.record(**REQUIRED, category=["the secret"])
    assert [record.getMessage() for record in caplog.records] == [
        "telemetry events are dropped: invalid_category"
    ]


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(sorted(EVENT_FIELDS)) | st.text(), _anything))
def test_what_is_encoded_is_a_typed_record(fields: dict[str, Any]) -> None:
    """Whatever the values, the event is refused or is one line with only typed known fields."""
    try:
        line, _ = encode_event(REQUIRED | fields, "id", list)
    except DroppedEventError as error:
        reason = str(error.args[0])
    else:
        reason = ""
    if reason:
        assert re.fullmatch(r"(invalid|missing)_\w+", reason)
        return
    assert line.count(b"\n") == 1
    assert line.isascii()
    event = json.loads(line)
    assert set(event) <= EVENT_FIELDS
    for name, value in event.items():
        if name == "deliverables":
            assert len(value) <= 20
            assert all(len(text) <= 200 for text in value)
        else:
            kind = type(EVENT[name])
            assert value is None or type(value) is kind
            assert kind is not str or value is None or len(value) <= 200


# Privacy of paths.


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        ("full", ["src/secret/api.py", "docs\\Plan.md", "Makefile"]),
        ("basename", ["api.py", "Plan.md", "Makefile"]),
        ("none", None),
    ],
)
def test_paths_are_kept_as_the_mode_says(mode: str, kept: list[str] | None, folder: Path) -> None:
    """The count is kept in every mode."""
    recorder = Recorder(folder, enabled=True, paths=mode)
    assert recorder.record(
        **REQUIRED, deliverables=["src/secret/api.py", "docs\\Plan.md", "Makefile"]
    )
    (event,) = events(folder)
    assert event.get("deliverables") == kept
    assert event["deliverable_count"] == 3


def test_hashed_paths_compare_under_one_key_only(folder: Path) -> None:
    """The same path gives the same code under the same key, and keeps its suffix."""
    paths = ["src/secret/api.py", "src\\secret\\api.py", ".env"]
    for key in ("one", b"one", "two", None, None):
        recorder = Recorder(
            folder / str(len(lines(folder))), enabled=True, paths="hash", path_key=key
        )
        assert recorder.record(**REQUIRED, deliverables=paths)
    one, again, two, random, other = [event["deliverables"] for event in events(folder)]
    assert one == again
    assert one[0] == one[1]
    assert len({codes[0] for codes in (one, two, random, other)}) == 4
    assert all(re.fullmatch(r"[0-9a-f]{16}\.py", codes[0]) for codes in (one, two, random, other))
    assert re.fullmatch(r"[0-9a-f]{16}", one[2])
    assert "secret" not in "".join(lines(folder))


def test_an_unknown_mode_is_an_error_in_code_and_the_strictest_in_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error in the environment neither breaks the application nor leaks a path."""
    with pytest.raises(UsageError, match="full, basename, hash, none"):
        Recorder(folder, paths="basname")
    monkeypatch.setenv("TELEMETRY_DB_ENABLED", "1")
    monkeypatch.setenv("TOKENEST_TELEMETRY_DIR", str(folder))
    monkeypatch.setenv("TOKENEST_TELEMETRY_PATHS", "basname")
    assert Recorder.from_env().record(**REQUIRED, deliverables=["src/secret.py"])
    assert "secret" not in "".join(lines(folder))


# Files.


def test_files_are_private_and_found_by_the_glob(recorder: Recorder, folder: Path) -> None:
    """Mode 0600 in a folder of mode 0700, whatever the umask allows."""
    before = os.umask(0)
    try:
        assert recorder.record(**EVENT)
    finally:
        os.umask(before)
    file = recorder.status().file
    assert file is not None
    assert file.parent == folder
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.glob("**/*.ndjson")) == [file]


def test_a_relative_folder_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that changes its working directory does not move its telemetry."""
    monkeypatch.chdir(tmp_path)
    recorder = Recorder("telemetry", enabled=True)
    monkeypatch.chdir("/")
    assert recorder.record(**EVENT)
    assert events(tmp_path / "telemetry") == [EVENT]


def test_a_full_file_is_left_for_a_new_one(folder: Path) -> None:
    """Each file ends within a line of the limit, and no event is lost or repeated."""
    recorder = Recorder(folder, enabled=True, max_bytes=2000)
    for number in range(40):
        assert recorder.record(**REQUIRED, attempt=number)
    files = list(folder.glob("*.ndjson"))
    assert len(files) > 1
    assert all(file.stat().st_size < 2000 + 300 for file in files)
    assert [event["attempt"] for event in events(folder)] == list(range(40))  # in order of name


def test_an_old_file_is_left_for_a_new_one(folder: Path) -> None:
    """With no age allowed, every event has a file of its own."""
    recorder = Recorder(folder, enabled=True, max_age_seconds=0)
    assert recorder.record(**EVENT)
    assert recorder.record(**EVENT)
    assert len(list(folder.glob("*.ndjson"))) == 2


def test_events_go_on_after_close(recorder: Recorder, folder: Path) -> None:
    """close() ends the file, not the recorder."""
    assert recorder.record(**EVENT)
    recorder.close()
    recorder.close()
    assert recorder.record(**EVENT)
    assert len(list(folder.glob("*.ndjson"))) == 2


def test_threads_share_one_file(recorder: Recorder, folder: Path) -> None:
    """Eight threads, one file, every line whole."""

    def work(thread: int) -> None:
        for number in range(200):
            assert recorder.record(**REQUIRED, attempt=thread * 1000 + number)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(folder.glob("*.ndjson"))) == 1
    expected = {thread * 1000 + number for thread in range(8) for number in range(200)}
    assert {event["attempt"] for event in events(folder)} == expected
    assert holds(recorder, 1600, {})


def test_a_key_of_the_environment_is_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random bytes are a good key and hardly ever UTF-8."""
    monkeypatch.setenv("TELEMETRY_DB_ENABLED", "1")
    monkeypatch.setenv("TOKENEST_TELEMETRY_DIR", str(tmp_path))
    monkeypatch.setenv("TOKENEST_TELEMETRY_PATHS", "hash")
    codes = []
    for key in (b"\xff\xc3", b"\xff\xc3", b"\xfe\xc3"):
        monkeypatch.setenv("TOKENEST_TELEMETRY_PATH_KEY", os.fsdecode(key))
        recorder = Recorder.from_env()
        assert recorder.record(
            run_id="r", phase_id="p", actual_output_tokens=1, deliverables=["src/a.py"]
        )
        file = recorder.status().file
        assert file is not None
        codes.append(json.loads(file.read_text(encoding="ascii"))["deliverables"])
    assert codes[0] == codes[1] != codes[2]
