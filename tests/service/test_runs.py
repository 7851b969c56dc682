"""Draining through the service: identities, leases, kills of either side, a live view."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from collected import WORKER, journal_lines, make_run
from serving import Service, environment, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

QUICK = {"LEASE_SECONDS": 12.0}  # a busy machine starts a service in five


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service on the runs of the test's folder, whose leases are short."""
    (tmp_path / "runs").mkdir()
    with serving(tmp_path, "--runs", str(tmp_path / "runs"), bounds=QUICK) as running:
        yield running


def started(service: Service, *arguments: str, **values: str) -> subprocess.Popen[str]:
    """A drain through the service, in the test's folder."""
    script = service.folder / "worker.py"
    script.write_text(WORKER)
    worker = f"{sys.executable} {script} {{phase_file}}"
    return subprocess.Popen(
        [sys.executable, "-m", "tokenest_py", "drain", *arguments, "--api-url", service.url,
         "--worker", worker, "--format", "json"],
        cwd=service.folder,
        env=environment(service.folder, **values),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def drained(service: Service, *arguments: str, **values: str) -> tuple[int, Any, str]:
    """Exit code, the rows of the summary, and what was said, of a drain that has ended."""
    process = started(service, *arguments, **values)
    out, said = process.communicate(timeout=120)
    return process.returncode, json.loads(out) if out else None, said


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def notes(service: Service) -> list[str]:
    """What the workers have noted, in order."""
    path = service.folder / "notes"
    return path.read_text().split() if path.exists() else []


def test_a_run_is_drained_as_on_the_spot(service: Service) -> None:
    """Journal, verdicts, limits and summary are those of a local drain; so is the phase given."""
    goals = {"p1": "event()", "p2": "event(); sys.exit(3)", "p3": "note('third')"}
    make_run(service.folder / "runs", goals)
    code, rows, said = drained(service, "r")
    assert code == 0, said
    [row, total] = rows
    assert (row["run_id"], row["attempts"], row["succeeded"], row["events"]) == ("r", 3, 2, 2)
    assert total["stopped"] == "no phase is left"
    lines = journal_lines(service.folder)
    assert [(line["phase_id"], line["events"], line["run_verdict"]) for line in lines] == [
        ("p1", 1, "promising"), ("p2", 1, "promising"), ("p3", 0, "promising"),
    ]  # fmt: skip
    assert lines[2]["zero_yield_reason"] == "success_without_calls"
    assert (service.folder / "runs" / "r" / "client" / "logs" / "p1-1.log").exists()
    assert not (service.folder / "runs" / "r" / "leases.json").exists()
    code, rows, said = drained(service, "r", "--resume", "--retry-failed")
    assert rows[-1]["attempts"] == 1
    assert {line["session_id"] for line in journal_lines(service.folder)} == {
        rows[-1]["session_id"]
    }


def test_a_drain_and_a_service_on_two_things_refuse_each_other(service: Service) -> None:
    """One line that names both, before anything runs; the origin lost a day to this."""
    make_run(service.folder / "runs", {"p1": "note('ran')"})
    other = str(service.folder / "other.duckdb")
    code, _, said = drained(service, "r", TOKENEST_DB=other)
    assert code == 1
    assert said.splitlines()[-1] == (
        f"tokenest: {service.url} works on something else: its database is"
        f" {service.folder / 'tokenest.duckdb'}, this drain's {other}"
    )
    folder = str(service.folder / "elsewhere")
    code, _, said = drained(service, "r", TOKENEST_TELEMETRY_DIR=folder)
    assert (code, said.count("telemetry folder is")) == (1, 1)
    asked = {"runs": ["r"], "session_id": "s", "holder": "h", "identity": {"version": "0"}}
    answer = service.ask("POST", "/v1/leases", asked)
    assert (answer.status, "version" in answer.json["message"]) == (412, True)
    code, _, said = drained(service, "nothing")
    assert said.splitlines()[-1] == f"tokenest: {service.url} has no run nothing; it has r"
    assert notes(service) == []
    health = service.ask("GET", "/health?run=r&run=nothing").json
    assert health["runs"] == {"r": True, "nothing": False}


def test_a_service_that_is_not_there_is_one_line(service: Service) -> None:
    """After some patience, which a test need not have."""
    service.stop()
    program = (
        "from tokenest_py.pipeline.collection import remote; remote.PATIENCE_SECONDS = 0.5;"
        "from tokenest_py.pipeline.identity import Identity;"
        "remote.RemoteBoard({!r}, '', ['r'], Identity('', '', ''), patience=0.5)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program.format(service.url)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"CollectionError: {service.url} does not answer: [Errno 111]" in done.stderr


def test_one_sample_of_each_run_comes_first(service: Service) -> None:
    """Across runs, and while the first sample of one is still being taken."""
    for name in ("a", "b"):
        goals = {f"{name}{n}": f"note('{name}{n}'); event(); time.sleep(0.5)" for n in (1, 2)}
        make_run(service.folder / "runs", goals, name)
    two = [started(service, "a", "b") for _ in range(2)]
    for process in two:
        process.communicate(timeout=120)
    assert sorted(notes(service)[:2]) == ["a1", "b1"]
    assert sorted(notes(service)) == ["a1", "a2", "b1", "b2"]


def test_a_deprioritised_run_is_skipped(service: Service) -> None:
    """By another session too: it is no new evidence that a drain was started again."""
    fails = "print('Error: same thing'); sys.exit(1)"
    make_run(service.folder / "runs", {f"p{n}": fails for n in range(1, 5)})
    _, rows, _ = drained(service, "r")
    assert (rows[-1]["attempts"], rows[0]["verdict"]) == (2, "deprioritised")
    code, rows, said = drained(service, "r")
    assert (code, rows[-1]["attempts"]) == (0, 0)
    assert "skipped 4 of r" in said
    _, rows, _ = drained(service, "r", "--max-fingerprint-repeats", "3")
    assert rows[-1]["attempts"] == 1


def test_two_drains_never_take_one_phase_twice(service: Service) -> None:
    """Three of them on one run of 18 phases, a service that is killed and back, a drain killed."""
    names = [f"p{n}" for n in range(1, 19)]
    make_run(
        service.folder / "runs",
        {name: f"note('{name}'); event(); time.sleep(0.4)" for name in names},
    )
    drains = [started(service, "r", "--batch-size", "20") for _ in range(3)]
    until(lambda: len(notes(service)) >= 3)
    service.process.send_signal(signal.SIGKILL)
    service.process.wait()
    time.sleep(0.5)
    options = ("--runs", str(service.folder / "runs"))
    with serving(service.folder, *options, bounds=QUICK, port=service.port) as again:
        until(lambda: len(notes(service)) >= 8)
        drains[0].send_signal(signal.SIGKILL)
        for process in drains:
            process.communicate(timeout=120)
        done = {line["phase_id"] for line in journal_lines(service.folder) if line["success"]}
        lost = set(names) - done
        assert len(lost) <= 1  # the one that the killed drain had
        if lost:
            run = again.ask("GET", "/v1/runs/r").json
            assert (run["running"], run["succeeded"]) in {(1, 17), (0, 17)}
            until(lambda: again.ask("GET", "/v1/runs/r").json["running"] == 0)
            code, rows, said = drained(again, "r")
            assert (code, rows[-1]["attempts"]) == (0, 1), said
        lines = journal_lines(service.folder)
        assert sorted(line["phase_id"] for line in lines) == sorted(names)
        assert {line["attempt"] for line in lines} == {1}
        assert again.ask("GET", "/v1/runs/r").json["succeeded"] == 18
    twice = [name for name in names if notes(service).count(name) > 1]
    assert set(twice) <= lost


def test_what_a_drain_gives_back_is_free_at_once(service: Service) -> None:
    """An interrupted one does not keep its phase until the time is over."""
    make_run(service.folder / "runs", {"p1": "note('began'); time.sleep(60)"})
    process = started(service, "r")
    until(lambda: notes(service) == ["began"])
    run = service.ask("GET", "/v1/runs/r").json
    [phase] = run["phases"]
    assert (phase["state"], phase["holder"]) == ("running", f"{socket.gethostname()} {process.pid}")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert service.ask("GET", "/v1/runs/r").json["queued"] == 1
    assert not (service.folder / "telemetry" / "attempts-r.ndjson").read_text()


def test_a_drain_that_loses_its_lease_ends_its_worker(service: Service) -> None:
    """The service is gone for longer than a lease lasts: another drain could have the phase."""
    make_run(
        service.folder / "runs", {"p1": "note(str(os.getpid())); time.sleep(120); note('late')"}
    )
    process = started(service, "r")
    until(lambda: len(notes(service)) == 1)
    service.process.send_signal(signal.SIGKILL)
    service.process.wait()
    said = process.stderr
    assert said is not None
    line = next(line for line in said if "lease is lost" in line)
    assert "was ended" in line
    process.kill()
    process.communicate()
    assert notes(service)[1:] == []


def test_a_drain_on_the_spot_waits_for_leases(service: Service) -> None:
    """While a phase is out, also when the service is not there; afterwards it may."""
    make_run(service.folder / "runs", {"p1": "note('out'); time.sleep(60)", "p2": "event()"})
    process = started(service, "r")
    until(lambda: notes(service) == ["out"])

    def on_the_spot() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tokenest_py", "drain", "runs/r", "--worker", "true"],
            cwd=service.folder, env=environment(service.folder),
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert on_the_spot().returncode == 75
    service.process.send_signal(signal.SIGKILL)
    service.process.wait()
    process.kill()
    process.communicate()
    refused = on_the_spot()
    assert refused.returncode == 75
    assert "is being drained through a service: p1 is out" in refused.stderr
    time.sleep(QUICK["LEASE_SECONDS"])
    assert on_the_spot().returncode == 4  # it ran, and gave no event


def test_the_live_view_counts_phases_and_yield(service: Service) -> None:
    """Queued, running, succeeded, failed; without a phase's goal in the rows."""
    goals = {"p1": "event()", "p2": "sys.exit(3)", "p3": "note('x'); time.sleep(60)", "p4": "pass"}
    make_run(service.folder / "runs", goals)
    process = started(service, "r")
    until(lambda: notes(service) == ["x"])
    [run] = service.ask("GET", "/v1/runs").json["runs"]
    states = ("queued", "running", "succeeded", "failed")
    assert [run[state] for state in states] == [1, 1, 1, 1]
    assert run["yield"]["events"] == 1
    assert run["yield"]["zero_yield"] == {"execution_error": 1}
    assert service.ask("GET", "/v1/runs/nothing").status == 404
    assert service.ask("GET", "/v1/runs/..%2f..").status == 404
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_leases_refuse_what_is_none(service: Service) -> None:
    """Questions and attempts of the wrong form, and leases that there are not."""
    make_run(service.folder / "runs", {"p1": "pass"})
    identity = service.ask("GET", "/v1/runs").json["identity"]
    asked = {"runs": ["r"], "session_id": "s", "holder": "h", "identity": identity}
    changes: list[dict[str, Any]] = [
        {"runs": []}, {"runs": "r"}, {"runs": [7]}, {"holder": None}, {"session_id": 7},
        {"limits": {"attempts_per_phase": True}}, {"limits": {"nothing": 1}},
        {"limits": {"skip_run_prefixes": [1]}},
    ]  # fmt: skip
    for change in changes:
        assert service.ask("POST", "/v1/leases", asked | change).status == 400, change
    assert service.ask("POST", "/v1/leases", asked | {"runs": ["q"]}).status == 404
    given = service.ask("POST", "/v1/leases", asked).json
    path = f"/v1/runs/r/leases/{given['lease_id']}"
    assert service.ask("POST", "/v1/leases", asked).json == {"lease_id": None}
    assert service.ask("POST", "/v1/leases", asked | {"phase_id": "p1"}).status == 423
    assert service.ask("POST", path, {"record_type": "attempt"}).status == 400
    assert service.ask("PUT", "/v1/runs/r/leases/nothing", {}).status == 409
    assert service.ask("PUT", path, {}).json == {"seconds": QUICK["LEASE_SECONDS"]}
    assert service.ask("DELETE", path).status == 200
    assert service.ask("DELETE", path).status == 409
