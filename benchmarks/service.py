"""What the service takes on one core, beside a bare Starlette handler, and whether it stays small.

    python benchmarks/service.py --seconds 10 --soak 600

The service has one core and its clients have the other, where there are two. The floor reads a body
of the same size and answers `{}`: what uvicorn, h11 and Starlette cost with nothing behind them.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

CORES = sorted(os.sched_getaffinity(0))
CONNECTIONS = 4
BATCH = 512  # spans of a request, as the SDK sends them
FLOOR = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
async def take(request: Request) -> Response:
    await request.body()
    return Response(b"{}", media_type="application/json")
app = Starlette(routes=[Route("/{path:path}", take, methods=["POST"])])
import socket
listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listening.bind(("127.0.0.1", 0))
listening.listen(64)
print(f"listening on http://127.0.0.1:{listening.getsockname()[1]}", file=sys.stderr, flush=True)
config = uvicorn.Config(app, log_config=None, access_log=False, loop="asyncio", http="h11")
uvicorn.Server(config).run(sockets=[listening])
"""
EVENT = {
    "occurred_at": "2026-05-01T10:00:00Z", "run_id": "run-1", "phase_id": "phase-7",
    "category": "chat", "complexity": "low", "labels": {"project": "web"}, "provider": "openai",
    "model": "gpt-4o", "input_tokens": 900, "selected_budget": 1200, "actual_max_tokens": 1200,
    "actual_output_tokens": 310, "stop_reason": "stop", "truncated": False, "success": True,
}  # fmt: skip
QUESTION = {"category": "chat", "model": "gpt-4o", "input_tokens": 900, "provider": "openai"}


@dataclass
class Load:
    """One kind of request."""

    name: str
    path: str
    items: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Result:
    """What a load came to."""

    seconds: float
    milliseconds: list[float]


def spans() -> bytes:
    """A request of the SDK's exporter: GenAI spans, by protobuf and gzip."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "desk"
    scope = resource.scope_spans.add()
    texts = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024",
        "gen_ai.response.id": "chatcmpl-123", "gen_ai.input.messages": "a prompt " * 40,
    }  # fmt: skip
    for number in range(BATCH):
        span = scope.spans.add(
            trace_id=os.urandom(16), span_id=os.urandom(8), name="chat gpt-4o",
            end_time_unix_nano=1_777_890_000_000_000_000 + number,
        )  # fmt: skip
        for name, text in texts.items():
            span.attributes.add(key=name).value.string_value = text
        for name in ("request.max_tokens", "usage.input_tokens", "usage.output_tokens"):
            span.attributes.add(key=f"gen_ai.{name}").value.int_value = 1000 + number
    return gzip.compress(request.SerializeToString())


def loads() -> list[Load]:
    """What is measured."""
    one = json.dumps(EVENT).encode()
    many = b"".join(json.dumps(EVENT | {"phase_id": f"p{n}"}).encode() + b"\n" for n in range(100))
    as_json = {"content-type": "application/json"}
    as_lines = {"content-type": "application/x-ndjson"}
    packed = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
    return [
        Load("events, 1 a request", "/v1/events", 1, one, as_json),
        Load("events, 100 a request", "/v1/events", 100, many, as_lines),
        Load(f"spans, {BATCH} a request", "/v1/traces", BATCH, spans(), packed),
        Load("budgets, 1 a request", "/v1/budget", 1, json.dumps(QUESTION).encode(), as_json),
    ]  # fmt: skip


@contextlib.contextmanager
def running(program: list[str], folder: Path) -> Iterator[tuple[int, int]]:
    """A server on a core of its own: its port and its process."""
    log = folder / "log"
    environment = os.environ | {
        "TOKENEST_DB": str(folder / "t.duckdb"),
        "TOKENEST_TELEMETRY_DIR": str(folder / "telemetry"),
    }
    environment.pop("TOKENEST_API_TOKEN", None)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *program], stderr=output, env=environment, cwd=folder
        )
    os.sched_setaffinity(process.pid, {CORES[-1]})
    try:
        while not (found := re.search(r"listening on \S+:(\d+)", log.read_text())):
            if process.poll() is not None:
                raise SystemExit(log.read_text())
            time.sleep(0.05)
        yield int(found[1]), process.pid
    finally:
        process.terminate()
        process.wait()


def send(port: int, load: Load, until: float, times: list[float]) -> None:
    """Send one request after the other on one connection."""
    head = f"POST {load.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(load.body)}\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in load.headers.items())
    request = f"{head}{lines}\r\n".encode() + load.body
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb")
        while time.perf_counter() < until:
            began = time.perf_counter()
            connection.sendall(request)
            length = 0
            status = stream.readline()
            if b" 200 " not in status:
                raise SystemExit(f"{load.name}: {status!r}")
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            stream.read(length)
            times.append((time.perf_counter() - began) * 1000)


def measured(port: int, load: Load, seconds: float) -> Result:
    """Send a load for some seconds on a few connections."""
    times: list[list[float]] = [[] for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    threads = [
        threading.Thread(target=send, args=(port, load, began + seconds, mine)) for mine in times
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Result(time.perf_counter() - began, sorted(t for mine in times for t in mine))


def row(name: str, load: Load, result: Result) -> None:
    """Print a row of the table."""
    requests = len(result.milliseconds) / result.seconds
    p50 = statistics.median(result.milliseconds)
    p99 = result.milliseconds[int(0.99 * (len(result.milliseconds) - 1))]
    print(f"| {name} | {requests:,.0f} | {requests * load.items:,.0f} | {p50:.1f} | {p99:.1f} |")


def resident(process: int) -> float:
    """Megabytes that a process holds."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) / 1024


def soak(port: int, process: int, seconds: float, folder: Path) -> None:
    """Send every load in turn; print what the service holds at ten moments."""
    kinds = loads()
    held = []
    for part in range(10):
        for load in kinds:
            measured(port, load, seconds / 10 / len(kinds))
        held.append(resident(process))
        # what is written would fill the disk of a long run
        files = sorted((folder / "telemetry").glob("*.ndjson"))
        for path in files[:-2]:
            path.unlink()
        print(f"{(part + 1) * seconds / 10:,.0f} s: {held[-1]:.1f} MB", flush=True)
    print(f"from the second tenth to the last: {held[-1] - held[1]:+.1f} MB")


def main() -> None:
    """Print the table, and the memory over a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="for each row")
    parser.add_argument("--soak", type=float, default=60, help="seconds; 600 is ten minutes")
    options = parser.parse_args()
    service = ["-m", "tokenest_py", "serve", "--port", "0"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.sched_setaffinity(0, {CORES[0]})
        print("| | requests/s | items/s | p50 ms | p99 ms |")
        print("|---|---|---|---|---|")
        for load in loads():
            with running(["-c", FLOOR], folder) as (port, _):
                row(
                    f"the floor, {len(load.body):,} bytes",
                    load,
                    measured(port, load, options.seconds),
                )
            with running(service, folder) as (port, _):
                row(load.name, load, measured(port, load, options.seconds))
        print()
        with running(service, folder) as (port, process):
            soak(port, process, options.soak, folder)


if __name__ == "__main__":
    main()
