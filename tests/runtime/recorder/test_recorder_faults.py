"""Faults, each the real one, in a process of its own where it would harm this one.

In all of them `record()` raises nothing, every acknowledged event is in a file, and the counts
add up.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from private_mount import PRIVATE_MOUNT
from recorded import REQUIRED, events, lines
from tokenest_py.errors import UsageError
from tokenest_py.runtime.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Python 3.12 warns of each fork beside a thread.
QUIETLY = ("-W", "ignore::DeprecationWarning:__main__")

PRELUDE = """
import atexit, gc, json, logging, os, pathlib, random, resource, signal, sys, threading, time
from tokenest_py.runtime.recorder import Recorder

folder = pathlib.Path(sys.argv[1])
recorder = Recorder(folder, enabled=True, lock_timeout=0.3)
acknowledged = []
calls = 0

def record(**fields):
    global calls
    calls += 1
    written = recorder.record(
        run_id="run", phase_id=str(calls), actual_output_tokens=1, category="c" * 180, **fields
    )
    if written:
        acknowledged.append(str(calls))
    return written

def report(**more):
    status = recorder.status()
    assert status.attempts == calls, (status, calls)
    assert status.written == len(acknowledged), (status, len(acknowledged))
    assert status.attempts - status.written == sum(status.dropped.values())
    print(json.dumps({"acknowledged": acknowledged, "dropped": status.dropped} | more))
"""


def run(script: str, folder: Path, prefix: list[str] | None = None) -> dict[str, Any]:
    """Run the script after the prelude; it has to end well and quietly, and to report."""
    done = subprocess.run(
        [*(prefix or []), sys.executable, *QUIETLY, "-c", PRELUDE + script, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    noise = [line for line in done.stderr.splitlines() if "telemetry events" not in line]
    assert (done.returncode, noise) == (0, [])
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def phases(folder: Path) -> tuple[list[str], int]:
    """The phase ids of all whole events under the folder, and how many lines are not whole."""
    whole, torn = [], 0
    for file in folder.glob("**/*.ndjson"):
        for line in file.read_bytes().split(b"\n"):
            try:
                whole.append(json.loads(line)["phase_id"])
            except ValueError:
                torn += line != b""
    return whole, torn


# The disk.


def test_file_size_limit(tmp_path: Path) -> None:
    """A file that may not grow is left for a new one; one line is torn, one is refused."""
    report = run(
        """
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
for _ in range(100):
    record()
report()
""",
        tmp_path,
    )
    whole, torn = phases(tmp_path)
    assert set(report["dropped"]) == {"short_write", "EFBIG"}
    assert len(report["acknowledged"]) > 80
    assert sorted(whole) == sorted(report["acknowledged"])
    assert torn == report["dropped"]["short_write"]


def test_no_litter_where_no_line_fits(tmp_path: Path) -> None:
    """A limit below one line costs every event, and makes one file, not one for each event."""
    report = run(
        """
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
for _ in range(20):
    record()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
record()
report(files=len(list(folder.iterdir())))
""",
        tmp_path,
    )
    assert report["dropped"] == {"EFBIG": 20}
    assert report["files"] == 1
    assert phases(tmp_path) == (["21"], 0)


@pytest.mark.parametrize("prefix", [PRIVATE_MOUNT] if PRIVATE_MOUNT else [])
def test_disk_full(prefix: list[str], tmp_path: Path) -> None:
    """On a full tmpfs events drop; with space again they go on, and no acknowledged one is lost."""
    report = run(
        """
os.system(f"mount -t tmpfs -o size=128k none {folder}")
filler = folder / "filler"
filler.write_bytes(b"x" * 64 * 1024)
for _ in range(400):
    record()
before = len(acknowledged)
filler.unlink()
for _ in range(100):
    record()
recorder.close()
lines = [line for f in folder.glob("*.ndjson") for line in f.read_bytes().split(b"\\n") if line]
whole = []
for line in lines:
    try:
        whole.append(json.loads(line)["phase_id"])
    except ValueError:
        pass
report(before=before, whole=whole, torn=len(lines) - len(whole),
       files=len(list(folder.glob("*.ndjson"))))
""",
        tmp_path,
        prefix,
    )
    assert set(report["dropped"]) == {"short_write", "ENOSPC"}
    assert report["whole"] == report["acknowledged"]
    assert len(report["acknowledged"]) == report["before"] + 100
    assert report["torn"] == report["dropped"]["short_write"] == 1
    assert report["files"] == 1


@pytest.mark.parametrize("prefix", [PRIVATE_MOUNT] if PRIVATE_MOUNT else [])
def test_read_only(prefix: list[str], tmp_path: Path) -> None:
    """A read-only file system costs the events, counted as such."""
    report = run(
        """
os.system(f"mount -t tmpfs -o ro none {folder}")
record()
record()
report()
""",
        tmp_path,
        prefix,
    )
    assert report["dropped"] == {"EROFS": 2}


def test_no_permission(tmp_path: Path) -> None:
    """A folder that may not be written costs the events; root steps down first."""
    sealed = tmp_path / "sealed"
    sealed.mkdir(mode=0o500)
    report = run(
        """
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
record()
report()
""",
        sealed / "telemetry",
    )
    assert report["dropped"] == {"EACCES": 1}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file", "EEXIST"),
        ("file/below", "ENOTDIR"),
        ("a\0b", "invalid_folder"),
        ("x" * 300, "ENAMETOOLONG"),
        ("dangling", "EEXIST"),
    ],
)
def test_impossible_folder(
    place: str, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that is a file, below a file, no path at all, or a link to nowhere; it is named."""
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    recorder = Recorder(tmp_path / place, enabled=True)
    assert recorder.record(**REQUIRED) is False
    assert recorder.status().dropped == {reason: 1}
    named = "" if reason == "invalid_folder" else f" in {str(tmp_path / place)!r}"
    assert caplog.messages == [f"telemetry events are dropped: {reason}{named}"]


def test_working_directory_gone(tmp_path: Path) -> None:
    """A relative folder under a working directory that was deleted."""
    report = run(
        """
(folder / "gone").mkdir()
os.chdir(folder / "gone")
(folder / "gone").rmdir()
recorder = Recorder("telemetry", enabled=True)
record()
report()
""",
        tmp_path,
    )
    assert report["dropped"] == {"ENOENT": 1}


def test_deleted_file(tmp_path: Path) -> None:
    """An event is not written to a file that has no name any more."""
    recorder = Recorder(tmp_path / "telemetry", enabled=True)
    assert recorder.record(**REQUIRED)
    shutil.rmtree(tmp_path / "telemetry")
    assert recorder.record(**REQUIRED)
    assert len(events(tmp_path)) == 1


def test_failed_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that may not have lasted is not acknowledged, and the next is on its own line."""
    recorder = Recorder(tmp_path, enabled=True, fsync=True)
    assert recorder.record(**REQUIRED)
    synced: list[int] = []

    def fail(fd: int) -> None:
        synced.append(fd)
        raise OSError(5, os.strerror(5))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        assert not recorder.record(**REQUIRED)
    assert recorder.record(**REQUIRED)
    assert len(synced) == 1
    assert recorder.status().dropped == {"EIO": 1}
    content = next(tmp_path.glob("*.ndjson")).read_text()
    assert [bool(line) for line in content.splitlines()] == [True, True, False, True]


# Descriptors.


def test_no_descriptors_left(tmp_path: Path) -> None:
    """Without a free descriptor events drop; with one again they go on."""
    report = run(
        """
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
held = [os.open("/dev/null", os.O_RDONLY)]
resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 20, most))
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
record()
os.close(held.pop())
record()
report()
""",
        tmp_path,
    )
    assert report["dropped"] == {"EMFILE": 1}
    assert phases(tmp_path) == (["2"], 0)


def test_descriptor_closed_and_reused_by_the_host(tmp_path: Path) -> None:
    """A host that closes all descriptors and opens its own file never finds our line in it."""
    report = run(
        """
def ours():
    for fd in range(3, 64):
        try:
            if os.path.samestat(os.fstat(fd), os.stat(recorder.status().file)):
                return fd
        except OSError:
            pass

record()
number = ours()
os.closerange(3, 64)
record()                               # closed, and nobody else's
assert ours() == number
os.closerange(3, 64)
host = os.open(folder / "host.txt", os.O_CREAT | os.O_RDWR)
assert host == number, (host, number)  # the very number
record()
recorder.close()
os.closerange(3, 64)
record()
os.closerange(3, 64)
host = os.open(folder / "host.txt", os.O_RDWR)
recorder.close()                       # must not close the host's descriptor
os.write(host, b"host")
again = Recorder(folder, enabled=True)
again.record(run_id="run", phase_id="x", actual_output_tokens=1)
del again
gc.collect()
os.write(host, b"!")
report(host=(folder / "host.txt").read_text())
""",
        tmp_path,
    )
    assert report["host"] == "host!"
    assert report["dropped"] == {}
    assert sorted(phases(tmp_path)[0]) == ["1", "2", "3", "4", "x"]


def test_descriptor_taken_during_the_write_is_no_acknowledgement(tmp_path: Path) -> None:
    """Between our check and our write the host takes the number: dropped, and counted."""
    report = run(
        """
write = os.write

def late(fd, line):
    os.close(fd)
    host = os.open(folder / "host.txt", os.O_CREAT | os.O_RDWR)
    assert host == fd, (host, fd)
    return write(fd, line)

record()
os.write = late
record()
os.write = write
record()
report()
""",
        tmp_path,
    )
    assert report["dropped"] == {"descriptor_lost": 1}
    assert sorted(phases(tmp_path)[0]) == ["1", "3"]


# Threads, forks and interrupts.


def test_fork_gives_the_child_a_file_and_counts_of_its_own(tmp_path: Path) -> None:
    """Parent and child go on in two files, with ids that do not collide."""
    report = run(
        """
record()
child = os.fork()
if child == 0:
    acknowledged.clear()
    calls = 10
    ok = record() and record() and recorder.status().attempts == 2
    os._exit(0 if ok else 1)
_, state = os.waitpid(child, 0)
record()
report(child=state)
""",
        tmp_path,
    )
    assert report["child"] == 0
    files = [[event["phase_id"] for event in events_of(file)] for file in tmp_path.iterdir()]
    assert sorted(files) == [["1", "2"], ["11", "12"]]
    ids = {event["event_id"] for file in tmp_path.iterdir() for event in events_of(file)}
    assert len(ids) == 4


def events_of(file: Path) -> list[dict[str, Any]]:
    """The events of one file."""
    return [json.loads(line) for line in file.read_text().splitlines()]


# A thread that hangs in its write, with the lock, until `go_on` is set.
HANGING_WRITE = """
real, inside, go_on = os.write, threading.Event(), threading.Event()

def slow(fd, data):
    inside.set()
    go_on.wait()
    return real(fd, data)

os.write = slow
thread = threading.Thread(target=record)
thread.start()
inside.wait()
"""


def test_fork_while_the_lock_is_held(tmp_path: Path) -> None:
    """A child forked in the middle of another thread's write is not blocked by it."""
    report = run(
        HANGING_WRITE
        + """
os.write = real
child = os.fork()
if child == 0:
    os._exit(0 if record() else 1)
_, state = os.waitpid(child, 0)
go_on.set()
thread.join()
report(child=state)
""",
        tmp_path,
    )
    assert report["child"] == 0
    assert report["dropped"] == {}
    assert sorted(phases(tmp_path)[0]) == ["1", "2"]


def test_a_hanging_disk_holds_up_one_thread_only(tmp_path: Path) -> None:
    """While one thread's write hangs, the events of the others drop after the timeout."""
    report = run(
        HANGING_WRITE
        + """
refused = record()
go_on.set()
thread.join()
record()
acknowledged[:] = ["1", "3"]
report(refused=refused)
""",
        tmp_path,
    )
    assert report["refused"] is False
    assert report["dropped"] == {"lock_timeout": 1}
    assert sorted(phases(tmp_path)[0]) == ["1", "3"]


def test_signal_handler_within_a_write(tmp_path: Path) -> None:
    """A handler that records while its own thread is writing is refused, and blocks nothing."""
    report = run(
        """
real = os.write
nested = []

def interrupted(fd, data):
    os.write = real
    signal.raise_signal(signal.SIGUSR1)
    return real(fd, data)

signal.signal(signal.SIGUSR1, lambda *_: nested.append(
    recorder.record(run_id="run", phase_id="nested", actual_output_tokens=1)))
os.write = interrupted
record()
calls += len(nested)
report(nested=nested)
""",
        tmp_path,
    )
    assert report["nested"] == [False]
    assert report["dropped"] == {"reentrant": 1}
    assert phases(tmp_path) == (["1"], 0)


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit"])
def test_interrupts_pass_through(error: str, tmp_path: Path) -> None:
    """They reach the host, the event is counted, and the recorder goes on."""
    report = run(
        f"""
real = os.write

def interrupted(fd, data):
    os.write = real
    real(fd, data)
    raise {error}

os.write = interrupted
try:
    record()
except {error}:
    passed = True
record()
report(passed=passed)
""",
        tmp_path,
    )
    assert report["passed"] is True
    assert report["dropped"] == {error: 1}
    assert phases(tmp_path) == (["1", "2"], 0)


@pytest.mark.slow
def test_interrupts_at_any_moment(tmp_path: Path) -> None:
    """After thousands of events under a storm of interrupts, the recorder still works."""
    report = run(
        """
def interrupt(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, interrupt)
interrupts = 0
acked = []
end = time.monotonic() + 2
number = 0
while time.monotonic() < end:
    number += 1
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 1e-4))
        while True:
            number += 1
            if recorder.record(run_id="run", phase_id=str(number), actual_output_tokens=1):
                acked.append(number)
    except KeyboardInterrupt:
        interrupts += 1
final = recorder.record(run_id="run", phase_id="final", actual_output_tokens=1)
status = recorder.status()
assert status.attempts - status.written == sum(status.dropped.values())
print(json.dumps({"acknowledged": [str(n) for n in acked], "interrupts": interrupts,
                  "final": final, "dropped": status.dropped}))
""",
        tmp_path,
    )
    whole, torn = phases(tmp_path)
    assert report["final"] is True
    assert report["interrupts"] > 100
    assert set(report["dropped"]) <= {"KeyboardInterrupt"}
    assert set(report["acknowledged"]) <= set(whole)
    assert torn == 0


def test_interpreter_exit(tmp_path: Path) -> None:
    """Events of an exit handler and of a destructor at the very end are written."""
    report = run(
        """
class Last:
    def __init__(self):
        self.record = recorder.record

    def __del__(self):
        self.record(run_id="run", phase_id="destructor", actual_output_tokens=1)

last = Last()
atexit.register(
    lambda: recorder.record(run_id="run", phase_id="atexit", actual_output_tokens=1))
print(json.dumps({}))
""",
        tmp_path,
    )
    assert report == {}
    whole, torn = phases(tmp_path)
    assert (sorted(whole), torn) == (["atexit", "destructor"], 0)


def test_interpreter_exit_under_a_daemon_thread(tmp_path: Path) -> None:
    """A thread that is cut off in the middle of recording causes no noise and no torn line."""
    report = run(
        """
def forever():
    while True:
        recorder.record(run_id="run", phase_id="daemon", actual_output_tokens=1)

atexit.register(
    lambda: recorder.record(run_id="run", phase_id="atexit", actual_output_tokens=1))
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.05)
print(json.dumps({}))
""",
        tmp_path,
    )
    assert report == {}
    whole, torn = phases(tmp_path)
    assert set(whole) == {"atexit", "daemon"}
    assert torn == 0


def test_host_at_the_end_of_its_stack(tmp_path: Path) -> None:
    """At any depth of the host's stack record() returns; only its own call can be refused."""
    report = run(
        """
outcomes = []

def dive():
    try:
        dive()
    except RecursionError:
        pass
    entered = []

    def last():
        entered.append(1)
        return recorder.record(run_id="run", phase_id="deep", actual_output_tokens=1)

    try:
        outcomes.append(last())
    except RecursionError as error:
        trace = error.__traceback__
        while trace.tb_next:
            trace = trace.tb_next
        code = trace.tb_frame.f_code
        refused = code.co_firstlineno == trace.tb_lineno  # the interpreter, before the first line
        outcomes.append("raised" if "recorder" in code.co_filename and not refused else None)

dive()
thread = threading.Thread(target=recorder.record, kwargs={
    "run_id": "run", "phase_id": "other thread", "actual_output_tokens": 1})
thread.start()
thread.join()
status = recorder.status()
print(json.dumps({
    "raised": outcomes.count("raised"), "written": outcomes.count(True),
    "refused": outcomes.count(False), "status": [status.written, status.attempts],
    "reasons": list(status.dropped),
}))
""",
        tmp_path,
    )
    assert report["raised"] == 0
    assert report["reasons"] == ["RecursionError"]
    assert report["written"] > 0
    written = report["written"] + 1  # the other thread's: the lock was released each time
    assert report["status"] == [written, written + report["refused"]]


# Values.


class Hostile:
    """Raises whatever is asked of it."""

    def refuse(self, *_: object) -> NoReturn:
        """Refuse."""
        raise RuntimeError

    __getattribute__ = __repr__ = __str__ = __bool__ = __len__ = __iter__ = refuse
    __hash__ = __index__ = __float__ = __eq__ = refuse


class HostileText(str):
    """A text whose methods raise."""

    __slots__ = ()

    def refuse(self, *_: object) -> NoReturn:
        """Refuse."""
        raise RuntimeError

    __len__ = __str__ = __repr__ = __format__ = __iter__ = strip = isprintable = refuse


def cycle() -> list[Any]:
    """A list that holds itself."""
    items: list[Any] = []
    items.append(items)
    return items


def deep() -> list[Any]:
    """A list 100,000 levels deep."""
    items: list[Any] = []
    for _ in range(100_000):
        items = [items]
    return items


HOSTILE: dict[str, Any] = {
    "nan": lambda: float("nan"),
    "infinity": lambda: float("-inf"),
    "cycle": cycle,
    "deep": deep,
    "10 MB": lambda: "x" * 10_000_000,
    "10 MB of bytes": lambda: b"x" * 10_000_000,
    "surrogate": lambda: "\ud800",
    "endless": lambda: itertools.repeat("x"),
    "generator": lambda: (str(number) for number in range(3)),
    "raising generator": lambda: (1 / number for number in (1, 0)),
    "hostile": Hostile,
    "hostile text": lambda: HostileText("text"),
    "huge number": lambda: 10**5000,
    "class": lambda: Hostile,
    "function": lambda: cycle,
    "object": object,
    "nested mapping": lambda: {"path": {"path": {"path": 1}}},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values(name: str, tmp_path: Path) -> None:
    """In every field, every such value is written as its declared type or dropped and counted."""
    fields = [
        "event_id",
        "occurred_at",
        "run_id",
        "category",
        "deliverables",
        "deliverable_count",
        "actual_output_tokens",
        "truncated",
        "no_such_field",
    ]
    recorder = Recorder(tmp_path, enabled=True)
    answers = []
    for field in fields:
        values: dict[str, Any] = {**REQUIRED, field: HOSTILE[name]()}
        answers.append(recorder.record(**values))
    answers.append(recorder.record(**REQUIRED, deliverables=[HOSTILE[name]()]))
    answers.append(recorder.record_response(HOSTILE[name](), HOSTILE[name](), **REQUIRED))
    status = recorder.status()
    assert status.written == sum(answers) == len(events(tmp_path))
    assert status.attempts == len(answers)
    assert status.attempts - status.written == sum(status.dropped.values())
    assert all(len(line) < 20_000 for line in lines(tmp_path))


class Stopped(BaseException):
    """What a library ends a thread with, as gevent does."""


def errors_of_python() -> list[type[BaseException]]:
    """Every error that can be raised without arguments, and two that are no Exception."""
    built_in = [kind for kind in vars(builtins).values()
                if isinstance(kind, type) and issubclass(kind, BaseException)
                and not issubclass(kind, (BaseExceptionGroup, UnicodeError))]  # fmt: skip
    return [*dict.fromkeys(built_in), asyncio.CancelledError, Stopped]


@pytest.mark.parametrize("kind", errors_of_python(), ids=lambda kind: kind.__name__)
def test_whatever_a_value_raises(kind: type[BaseException], tmp_path: Path) -> None:
    """Only what stops the host reaches it; the event is counted, and the next one is written."""

    def raising() -> Iterator[str]:
        yield "src/api.py"
        raise kind

    class Raising:
        def __str__(self) -> str:
            raise kind

        __int__ = __float__ = __iter__ = __str__

    stops = kind in {BaseException, KeyboardInterrupt, SystemExit, Stopped}
    recorder = Recorder(tmp_path, enabled=True)
    values: list[dict[str, Any]] = [
        {"deliverables": raising()},
        {"category": Raising()},
        {"deliverables": Raising()},
    ]
    for fields in values:
        with contextlib.suppress(kind) if stops else contextlib.nullcontext():
            recorder.record(**REQUIRED, **fields)
    assert recorder.record(**REQUIRED)
    status = recorder.status()
    assert status.attempts == len(values) + 1
    assert status.written == len(events(tmp_path))
    assert status.dropped


def test_interrupt_from_a_value_passes_through(tmp_path: Path) -> None:
    """A value whose evaluation is interrupted by the user does not hide that."""

    def interrupted() -> Iterator[str]:
        yield "src/api.py"
        raise KeyboardInterrupt

    recorder = Recorder(tmp_path, enabled=True)
    with pytest.raises(KeyboardInterrupt):
        recorder.record(**REQUIRED, deliverables=interrupted())
    assert recorder.record(**REQUIRED)
    assert recorder.status().dropped == {"KeyboardInterrupt": 1}


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("value", ["2", None, True, -1, float("nan"), 1e30, [2]])
@pytest.mark.parametrize("name", ["lock_timeout", "max_bytes", "max_age_seconds", "path_key"])
def test_an_option_that_would_drop_every_event_is_refused(
    name: str, value: object, tmp_path: Path, *, enabled: bool
) -> None:
    """As the recorder is made, with the bound; what is taken records."""
    fits = {"path_key": (None, "2"), "max_bytes": (1e30,), "max_age_seconds": (1e30,)}
    options: dict[str, Any] = {name: value}
    if value in fits.get(name, ()):
        assert Recorder(tmp_path, enabled=enabled, **options).record(**REQUIRED) is enabled
        return
    with pytest.raises(UsageError, match=f"^{name}=.* will not do; use a "):
        Recorder(tmp_path, enabled=enabled, **options)


@pytest.mark.parametrize("name", ["enabled", "fsync"])
def test_a_text_switches_nothing_on(name: str, tmp_path: Path) -> None:
    """The "0" of a variable of the environment would be taken for yes."""
    options: dict[str, Any] = {"enabled": True, name: "0"}
    with pytest.raises(UsageError, match=f"^{name}='0' will not do; use True or False"):
        Recorder(tmp_path, **options)


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("value", [5, None, True, 1.5, ["a"], object()])
def test_a_folder_that_cannot_be_one_is_refused(value: object, *, enabled: bool) -> None:
    """As the recorder is made, with its name."""
    with pytest.raises(UsageError, match=r"^directory=.* will not do; use a path"):
        Recorder(value, enabled=enabled)
