"""A board behind HTTP: phases are leased from a service, and attempts posted to it.

A lease is renewed while the worker runs. Where that fails for as long as a lease lasts, the phase
may be another drain's: the worker is ended before it is.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from tokenest_py.errors import CollectionError, LeaseLostError, RunBusyError
from tokenest_py.pipeline.collection.journal import parse_attempt
from tokenest_py.pipeline.collection.phases import parse_phase
from tokenest_py.pipeline.collection.runs import RUNS_FOLDER, Run
from tokenest_py.pipeline.collection.triage import Candidate
from tokenest_py.pipeline.collection.worker import end_orphan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from tokenest_py.pipeline.collection.journal import Attempt
    from tokenest_py.pipeline.collection.phases import Phase
    from tokenest_py.pipeline.collection.triage import Limits
    from tokenest_py.pipeline.identity import Identity

__all__ = ["RemoteBoard"]

ANSWER_SECONDS = 30.0  # for one answer
PATIENCE_SECONDS = 120.0  # for a service that is being started again
MAX_ANSWER = 64 * 1024 * 1024
# The service is where --api-url says, and no proxy that the environment names.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RemoteBoard:
    """Runs that a service holds, for one drain; `with` gives back what is out at the end."""

    def __init__(
        self,
        url: str,
        token: str,
        names: Sequence[str],
        identity: Identity,
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Compare what the service works on with what this process does.

        Raises:
            CollectionError: It does not answer, works on something else, or has no such run.
        """
        self.lost = threading.Event()
        self._url = url.rstrip("/")
        self._token = token
        self._names = list(names)
        self._identity = identity
        self._patience = patience
        self._lease: Renewal | None = None
        if not self._url.startswith(("http://", "https://")):
            raise CollectionError(url, "is no address; give --api-url http://127.0.0.1:8000")
        theirs = self._ask("GET", "/v1/runs")
        mismatch = identity.mismatch(theirs["identity"])
        if mismatch:
            name, ours, other = mismatch
            reason = f"its {name} is {other}, this drain's {ours}"
            raise CollectionError(self._url, f"works on something else: {reason}")
        known = [run["run_id"] for run in theirs["runs"]]
        for name in names:
            if name not in known:
                reason = f"has no run {name}; it has {', '.join(known[:10]) or 'none'}"
                raise CollectionError(self._url, reason)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give back what is out: another drain may have it at once."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.stop()
            try:
                self._ask("DELETE", lease.path, patience=0)
            except CollectionError:
                return  # its time will be over

    def runs(self) -> list[tuple[Sequence[Phase], Sequence[Attempt]]]:
        """Return of each run its phases and all attempts at it, in order."""
        return [self._run(name) for name in self._names]

    def run(self, run_id: str) -> Run:
        """Return the run whose folder takes the logs, on this side."""
        return Run(RUNS_FOLDER / run_id / "client", run_id, ())

    def take(
        self, session_id: str, limits: Limits, only: Candidate | None = None
    ) -> Candidate | None:
        """Lease the phase to attempt next, or `only`.

        Raises:
            CollectionError: The service does not answer, or refuses.
        """
        asked = {
            "runs": self._names,
            "session_id": session_id,
            "limits": asdict(limits),
            "identity": self._identity.as_dict(),
            "holder": f"{socket.gethostname()} {os.getpid()}",
            "phase_id": only.phase.phase_id if only else None,
        }
        began = time.monotonic()
        given = self._ask("POST", "/v1/leases", asked)
        if given["lease_id"] is None:
            return None
        phase = parse_phase(given["phase"], Path(self._url), 1)
        attempts = tuple(parse_attempt(one, phase.run_id, self._url) for one in given["attempts"])
        path = f"/v1/runs/{quote(phase.run_id)}/leases/{given['lease_id']}"
        self.lost.clear()
        self._lease = Renewal(self, path, given["seconds"], began)
        candidate = Candidate(phase, given["verdict"], attempts)
        self._prepare(candidate)
        return candidate

    def finish(self, attempt: Attempt) -> Attempt:
        """Post the attempt; once this returns the service has it in the journal.

        Raises:
            LeaseLostError: Another drain has the phase.
            CollectionError: The service does not answer, or refuses.
        """
        lease, self._lease = self._lease, None
        assert lease is not None  # taken before
        try:
            written = self._ask("POST", lease.path, attempt.as_dict())
        finally:
            lease.stop()
        return parse_attempt(written, attempt.run_id, self._url)

    def renew(self, path: str, timeout: float) -> bool:
        """Ask for more time once; return whether it was given.

        Raises:
            CollectionError: It never will be.
        """
        try:
            self._ask_once("PUT", path, {}, timeout=timeout)
        except OSError:
            return False
        return True

    def _prepare(self, candidate: Candidate) -> None:
        """Make room for the logs, and end what a killed drain left of this very attempt."""
        phase = candidate.phase
        log = self.run(phase.run_id).log_path(phase.phase_id, len(candidate.attempts) + 1)
        try:
            log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CollectionError(log.parent, f"cannot be made: {error.strerror}") from error
        end_orphan(log)

    def _run(self, name: str) -> tuple[Sequence[Phase], Sequence[Attempt]]:
        found = self._ask("GET", f"/v1/runs/{quote(name)}")
        here = Path(self._url)
        phases = [parse_phase(one, here, n) for n, one in enumerate(found["plan"], start=1)]
        return phases, [parse_attempt(one, name, self._url) for one in found["attempts"]]

    def _ask(
        self, method: str, path: str, body: object = None, *, patience: float | None = None
    ) -> dict[str, Any]:
        """Return the answer; try again while the service does not answer, within the patience."""
        deadline = time.monotonic() + (self._patience if patience is None else patience)
        pause = 0.1
        while True:
            try:
                return self._ask_once(method, path, body)
            except OSError as error:
                reason = getattr(error, "reason", error)
                if time.monotonic() + pause > deadline:
                    raise CollectionError(self._url, f"does not answer: {reason}") from error
            time.sleep(pause)
            pause = min(pause * 2, 2.0)

    def _ask_once(
        self, method: str, path: str, body: object, *, timeout: float = ANSWER_SECONDS
    ) -> dict[str, Any]:
        """Return the answer; an OSError means that asking again may help."""
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        try:
            with _OPENER.open(request, timeout=timeout) as response:
                return _object(response.read(MAX_ANSWER), self._url)
        except http.client.HTTPException as error:  # it was killed while it answered
            raise ConnectionError(type(error).__name__) from error
        except urllib.error.HTTPError as error:
            with error:
                message = _message(error.read(4096))
            if error.code == 503:
                raise ConnectionError(message) from error
            kind = {409: LeaseLostError, 423: RunBusyError}.get(error.code, CollectionError)
            raise kind(self._url, f"answers {error.code}: {message}") from error


class Renewal:
    """One phase that is out, and the thread that renews it."""

    def __init__(self, board: RemoteBoard, path: str, seconds: float, began: float) -> None:
        """Renew it from now on; `began` is when it was asked for."""
        self.path = path
        self._board = board
        self._seconds = seconds
        self._ends = began + seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Renew it no more."""
        self._stopped.set()
        self._thread.join()

    def _renew(self) -> None:
        """Renew it four times in its time; when that is nearly over, the phase is lost."""
        while not self._stopped.wait(self._seconds / 4):
            began = time.monotonic()
            try:
                if self._board.renew(self.path, self._seconds / 4):
                    self._ends = began + self._seconds
            except CollectionError:
                self._ends = began
            if time.monotonic() + self._seconds / 4 > self._ends:
                self._board.lost.set()
                return


def _object(content: bytes, url: str) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise CollectionError(url, "answers with something that is no JSON") from error
    if not isinstance(found, dict):
        raise CollectionError(url, "answers with something that is no JSON object")
    return found


def _message(content: bytes) -> str:
    try:
        found: Mapping[str, object] = json.loads(content)
        return str(found["message"])[:500]
    except (ValueError, TypeError, KeyError):
        return "no reason given"
