"""`tokenest serve` as a process: identity, who may come in, its bounds, its log and its end."""

from __future__ import annotations

import gzip
import http.client
import json
import random
import re
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from dbt_project import ROOT
from serving import NDJSON, Service, environment, serving
from tokenest_py.service.server import listen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

EVENT = {"actual_output_tokens": 5}
TOKEN = "a-token-of-the-tests"
POSTS = ("/v1/events", "/v1/budget", "/v1/estimate")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the tests that leave it as it was."""
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


def refused_start(folder: Path, *options: str, **values: str) -> tuple[int, str]:
    """Exit code and standard error of a service that does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "tokenest_py", "serve", *options],
        cwd=ROOT, env=environment(folder, **values), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_health_says_what_it_works_on(service: Service) -> None:
    """Database, coefficients, folder and version; a database need not be there to record."""
    answer = service.ask("GET", "/health")
    health = answer.json
    assert (answer.status, health["status"], health["fault"]) == (200, "ok", "")
    assert health["database"]["path"] == str(service.folder / "tokenest.duckdb")
    assert "there is no database" in health["database"]["fault"]
    assert health["telemetry"]["folder"] == str(service.folder / "telemetry")
    assert health["telemetry"]["writable"] is True
    assert health["coefficients"]["source"] == "packaged defaults"
    assert health["coefficients"]["age_seconds"] >= 0


def test_health_is_503_when_nothing_can_be_recorded(tmp_path: Path) -> None:
    """And an event is refused then, not lost in silence."""
    (tmp_path / "blocked").write_text("a file, so no folder can be made in it")
    folder = str(tmp_path / "blocked" / "telemetry")
    table = tmp_path / "coefficients.ndjson"
    table.write_text("no table\n")
    with serving(
        tmp_path,
        TOKENEST_TELEMETRY_DIR=folder,
        TOKENEST_COEFFICIENTS=str(table),
        TOKENEST_TELEMETRY_PATHS="hash",
        TOKENEST_TELEMETRY_PATH_KEY="\udcff",  # a byte that is no UTF-8
    ) as service:
        answer = service.ask("GET", "/health")
        assert answer.status == 503
        assert answer.json["fault"] == f"{folder} cannot be written to"
        answer = service.ask("POST", "/v1/events", EVENT)
        assert answer.status == 503
        assert answer.json["message"].startswith(f"{folder} takes nothing: ")
        assert answer.headers["retry-after"] == "5"
        assert f"warning: {folder} cannot be written to\n" in service.log
        assert f"warning: {table}:1: not a JSON object" in service.log
        assert "; the packaged table is in use\n" in service.log
        service.stop()  # the log is written by a thread of its own
        assert re.search(r"^\S+ /.*/telemetry takes nothing: [A-Z]+$", service.log, re.MULTILINE)


def test_one_connection_too_many(tmp_path: Path) -> None:
    """It is told so in JSON, and those that were there before are served."""
    with serving(tmp_path, bounds={"MAX_CONNECTIONS": 2}) as service:
        before = [http.client.HTTPConnection("127.0.0.1", service.port) for _ in range(2)]
        for connection in before:
            connection.request("GET", "/v1/runs")
            assert connection.getresponse().read()
        answer = service.ask("GET", "/v1/runs")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert answer.json == {"message": "there are 2 connections already"}
        before[0].request("GET", "/v1/runs")
        assert before[0].getresponse().status == 200
        for connection in before:
            connection.close()


# Who may come in.


def test_beyond_loopback_it_needs_a_token(tmp_path: Path) -> None:
    """One line, exit code 2, before it listens."""
    code, said = refused_start(tmp_path, "--host", "0.0.0.0", "--port", "0")
    assert code == 2
    assert said == (
        "tokenest: host='0.0.0.0' will not do; use 127.0.0.1, or set TOKENEST_API_TOKEN:"
        " others can reach it\n"
    )
    code, said = refused_start(tmp_path, TOKENEST_API_TOKEN="short")
    assert (code, "short" in said) == (2, False)


def test_with_a_token_nothing_answers_without_it(tmp_path: Path) -> None:
    """Every path, also one that there is not."""
    with serving(tmp_path, "--host", "0.0.0.0", TOKENEST_API_TOKEN=TOKEN) as service:
        for sent in ({}, {"authorization": "Bearer a-token-of-the-test"}, {"authorization": TOKEN}):
            for path in ("/health", "/nothing"):
                answer = service.ask("GET", path, headers=sent)
                assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert service.ask("POST", "/v1/events", EVENT, sent).status == 401
        assert service.lines() == []
        lower = {"authorization": f"bearer {TOKEN}"}
        assert service.ask("GET", "/health", headers=lower).status == 200
        service.headers["authorization"] = f"Bearer {TOKEN}"
        assert service.ask("GET", "/health").status == 200
        assert service.ask("POST", "/v1/events", EVENT).status == 200
        assert TOKEN not in service.log


def test_a_page_of_the_web_cannot_post(service: Service) -> None:
    """Neither under a foreign name of this machine, nor with the types that need no permission."""
    before = len(service.lines())
    body = json.dumps(EVENT)
    assert service.ask("POST", "/v1/events", body, {"host": "attacker.example"}).status == 403
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        assert service.ask("POST", "/v1/events", body, {"content-type": kind}).status == 415
    for host in ("localhost:9", "[::1]:8000", "127.0.0.1"):
        assert service.ask("GET", "/health", headers={"host": host}).status == 200
    assert len(service.lines()) == before


def test_an_address_in_use_is_one_line(service: Service, tmp_path: Path) -> None:
    """It names the address and the way out."""
    code, said = refused_start(tmp_path, "--port", str(service.port))
    assert code == 1
    assert said == (
        f"tokenest: 127.0.0.1:{service.port} cannot be had: Address already in use; choose --port\n"
    )


def test_answers_do_not_wait_for_more() -> None:
    """Asyncio turns Nagle's algorithm off for what says that it is TCP, and for nothing else."""
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


# Its bounds.


def test_what_there_is_not_is_said_in_json(service: Service) -> None:
    """Paths and methods."""
    assert service.ask("GET", "/v1/nothing").json["message"].startswith("Not Found")
    answer = service.ask("GET", "/v1/events")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    answer = service.ask("POST", "/v1/events/", {"actual_output_tokens": 1})
    assert (answer.status, answer.json["message"][:9]) == (404, "Not Found")


def test_bodies_are_bounded(service: Service) -> None:
    """On the wire, unpacked, in number; a small one for a question."""
    large = b" " * (4 * 1024 * 1024 + 1)
    bomb = gzip.compress(b" " * (16 * 1024 * 1024 + 1))
    packed = {"content-encoding": "gzip"}
    many = b"{}\n" * 10_001
    assert service.ask("POST", "/v1/events", large).status == 413
    assert service.ask("POST", "/v1/events", bomb, packed).status == 413
    answer = service.ask("POST", "/v1/events", many, NDJSON)
    assert (answer.status, "10000 records; send them in parts" in str(answer.json)) == (413, True)
    assert service.ask("POST", "/v1/budget", b" " * 65_537).status == 413
    whole = gzip.compress(json.dumps(EVENT).encode())
    assert service.ask("POST", "/v1/events", whole, packed).status == 200
    for broken in (whole[:-1], whole + b"x", b"no gzip"):
        assert service.ask("POST", "/v1/events", broken, packed).status == 400
    assert service.ask("POST", "/v1/events", whole, {"content-encoding": "br"}).status == 415


def test_a_length_that_was_a_lie_is_bounded_too(service: Service) -> None:
    """Chunks without a length are counted as they come."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    connection.putrequest("POST", "/v1/budget")
    connection.putheader("content-type", "application/json")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    connection.send(b"%x\r\n" % 70_000 + b" " * 70_000 + b"\r\n0\r\n\r\n")
    assert connection.getresponse().status == 413
    connection.close()


def test_a_slow_client_costs_itself(tmp_path: Path) -> None:
    """It gets 408, or nothing, while others are answered."""
    with serving(tmp_path, bounds={"BODY_SECONDS": 1, "HEAD_SECONDS": 1}) as service:
        silent = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(20)]
        for one in silent[:10]:
            one.sendall(b"POST /v1/events HTTP/1.1\r\nho")
        slow = socket.create_connection(("127.0.0.1", service.port))
        slow.sendall(
            b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: 100\r\n\r\n{"
        )
        assert service.ask("POST", "/v1/events", EVENT).status == 200
        slow.settimeout(20)
        answered = slow.recv(4096)
        assert answered.startswith(b"HTTP/1.1 408 ")
        for one in silent:
            one.settimeout(20)
            assert one.recv(4096) == b""  # closed
        for one in (slow, *silent):
            one.close()
        assert service.ask("GET", "/health").status == 200


def test_a_client_that_breaks_off_costs_itself(service: Service) -> None:
    """Nothing of what it sent is written, and the log says 499."""
    before = len(service.lines())
    with socket.create_connection(("127.0.0.1", service.port)) as broken:
        broken.sendall(
            b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: 100\r\n\r\n" + json.dumps(EVENT).encode()
        )
        time.sleep(0.3)
    deadline = time.monotonic() + 20
    while " POST /v1/events 499 " not in service.log:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(service.lines()) == before


@pytest.mark.parametrize("path", POSTS)
def test_hostile_bytes_get_400_in_json(service: Service, path: str) -> None:
    """Random bytes, deep nesting, huge numbers, wrong types: an answer each, and it lives."""
    chance = random.Random(path)
    bodies = [chance.randbytes(chance.randrange(1, 300)) for _ in range(60)]
    bodies += [
        b"[" * 50_000, b'{"a":' * 10_000, b"NaN", b'"\\ud800"', b"1" * 5000, b"[]", b"null",
        b'{"a":1,"a":2}', b'{"model":{}}', b'{"labels":{"a":[1]}}', b'{"labels":[1]}',
        b'{"actual_output_tokens":-1}', b'{"actual_output_tokens":1e999}',
        b'{"record_type":"attempt","actual_output_tokens":1}', b"\x00",
        b'{"input_tokens":true}', b'{"category":"\\ud800"}', b'{"max_truncation":7}',
    ]  # fmt: skip
    before = len(service.lines())
    statuses = set()
    for body in bodies:
        answer = service.ask("POST", path, body)
        assert answer.json, body
        statuses.add(answer.status)
        assert answer.status == 400 or b"category" in body or path == "/v1/events", body
    assert statuses <= {200, 400}
    assert len(service.lines()) == before
    assert service.ask("GET", "/health").status == 200
    assert "unexpected" not in service.log


def test_bytes_that_are_no_http_get_400_in_json(service: Service) -> None:
    """From the parser, before any endpoint."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as raw:
        raw.sendall(b"\x00\xff nonsense\r\n\r\n")
        with raw.makefile("rb") as answered:
            head, _, body = answered.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert "message" in json.loads(body)


# Its log and its end.


def test_the_access_log_has_a_line_a_request_and_no_body(service: Service) -> None:
    """Time, client, method, path, status, duration."""
    body = {"category": "canary-5e2a", "task": "canary-5e2a"}
    assert service.ask("POST", "/v1/budget?canary-5e2a", body).status == 200
    until = time.monotonic() + 10  # the line is written by a thread of its own
    while " POST /v1/budget 200 " not in service.log and time.monotonic() < until:
        time.sleep(0.02)
    line = next(line for line in service.log.splitlines() if " POST /v1/budget 200 " in line)
    assert line.split()[1] == "127.0.0.1"
    assert "canary-5e2a" not in service.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_with_nothing_acknowledged_lost(
    tmp_path: Path, number: signal.Signals
) -> None:
    """What is under way is answered; exit code 0, and a last line with the count."""
    with serving(tmp_path) as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        body = b"".join(b'{"actual_output_tokens":%d}\n' % n for n in range(5000))
        connection.putrequest("POST", "/v1/events")
        for name, value in (NDJSON | {"content-length": str(len(body))}).items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(body[:1000])
        time.sleep(0.3)
        service.process.send_signal(number)
        time.sleep(0.3)
        connection.send(body[1000:])
        answer = connection.getresponse()
        assert json.loads(answer.read())["accepted"] == 5000
        connection.close()
        assert service.process.wait(timeout=60) == 0
        assert len(service.lines()) == 5000
        assert service.log.endswith("stopped; 5,000 records written\n")


def test_a_log_that_nobody_reads_holds_up_no_end(tmp_path: Path) -> None:
    """As of a container whose log driver hangs: the pipe is full, and then the service stops."""
    service = subprocess.Popen(
        [sys.executable, "-m", "tokenest_py", "serve", "--port", "0"],
        cwd=ROOT, env=environment(tmp_path), stderr=subprocess.PIPE,
    )  # fmt: skip
    assert service.stderr is not None
    port = int(service.stderr.readline().rpartition(b":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(700):  # of a line of a hundred bytes and more each
        connection.request("GET", f"/{'long' * 40}")
        assert connection.getresponse().read()
    connection.close()
    try:
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=20) == 0
    finally:
        service.kill()
        service.stderr.close()
