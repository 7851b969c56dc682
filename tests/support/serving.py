"""A real `tokenest serve` on loopback, and what the tests of the service ask it with."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbt_project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
# other bounds than the service's own, so that a test need not wait
BOUNDED = """
import json, sys
from tokenest_py.service import bounds
for name, value in json.loads(sys.argv[1]).items():
    setattr(bounds, name, value)
sys.argv[1:2] = []
from tokenest_py.__main__ import main
main()
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of a response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, which has to be JSON."""
        value: dict[str, Any] = json.loads(self.body)
        return value


@dataclass(slots=True)
class Service:
    """One process, its port and its folder."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has said on standard error."""
        return (self.folder / "serve.log").read_text()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own; a body that is no text is sent as JSON."""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            wanted = self.headers | ({} if body is None else JSON) | dict(headers or {})
            data = body.encode() if isinstance(body, str) else body
            connection.request(method, path, data, wanted)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def lines(self) -> list[dict[str, Any]]:
        """Every whole line of the telemetry folder, as JSON."""
        found = []
        for path in sorted((self.folder / "telemetry").glob("*.ndjson")):
            whole = path.read_bytes().rpartition(b"\n")[0]
            found += [json.loads(line) for line in whole.splitlines()]
        return found

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


def environment(folder: Path, **values: str) -> dict[str, str]:
    """Variables with which nothing but the folder is touched."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOKENEST", "TELEMETRY_DB"))}
    return kept | {
        "TOKENEST_DB": str(folder / "tokenest.duckdb"),
        "TOKENEST_TELEMETRY_DIR": str(folder / "telemetry"),
        "TOKENEST_TELEMETRY": str(folder / "telemetry" / "*.ndjson"),
        **values,
    }


@contextlib.contextmanager
def serving(
    folder: Path,
    *options: str,
    bounds: Mapping[str, float] | None = None,
    port: int = 0,
    **values: str,
) -> Iterator[Service]:
    """Start a service, wait until it listens, and end it."""
    program = ["-c", BOUNDED, json.dumps(bounds)] if bounds else ["-m", "tokenest_py"]
    log = folder / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *program, "serve", "--port", str(port), *options],
            cwd=ROOT,
            env=environment(folder, **values),
            stderr=output,
        )
    try:
        service = Service(process, _port(process, log), folder)
        yield service
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = re.search(r"listening on http://\S+:(\d+)\n", log.read_text())
        if found:
            return int(found[1])
        if process.poll() is not None:
            raise AssertionError(log.read_text())
        time.sleep(0.05)
    raise AssertionError("the service never listened")
