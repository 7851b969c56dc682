"""What the service reads of the database: never more than a look, so that a build can have it."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from tokenest_py.errors import TokenestError
from tokenest_py.pipeline.calibration.provenance import database_id
from tokenest_py.pipeline.database import open_database
from tokenest_py.pipeline.exporting.ceilings import Form, as_form, read_ceilings
from tokenest_py.pipeline.identity import tables
from tokenest_py.pipeline.rates import USUAL_RATE
from tokenest_py.service.requests import JSON, RefusedError, Threads, check_names

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

__all__ = ["Database", "get_ceilings"]

LOCK_SECONDS = 2.0  # that a request waits for a build to end
YAML = "application/yaml"
THREADS = Threads(2)


class Database:
    """The file that builds write; each of its states is read once."""

    def __init__(self, path: Path) -> None:
        """Keep the path; there may be no database yet."""
        self.path = path
        self._lock = threading.Lock()
        self._ceilings_lock = threading.Lock()  # held as long as a build is waited for
        self._known: tuple[tuple[int, int, int], dict[str, int]] | None = None
        self._ceilings: dict[tuple[object, ...], tuple[str, float]] = {}

    def facts(self) -> dict[str, Any]:
        """Return path, id, size, time and the rows of each table; `fault` where it is not read."""
        facts: dict[str, Any] = {"path": str(self.path), "id": None}
        try:
            real = self.path.resolve()
            status = real.stat()
        except OSError:
            return facts | {"fault": f"there is no database at {self.path}"}
        modified = datetime.fromtimestamp(status.st_mtime, tz=UTC).replace(tzinfo=None)
        facts |= {
            "path": str(real),
            "id": database_id(self.path),
            "size": status.st_size,
            "modified": modified,
        }
        try:
            return facts | {"rows": self._rows()}
        except TokenestError as error:
            return facts | {"fault": str(error)}

    def ceilings(self, form: Form, rate: float) -> tuple[str, float]:
        """Return the ceilings in a gateway's form, and the rate that they are for.

        Raises:
            DatabaseError: There is none, or a build holds it.
            RefusedError: It has no ceiling yet.
        """
        key = (self._state(), form, rate)
        with self._ceilings_lock:
            if key not in self._ceilings:
                with open_database(self.path, lock_timeout=LOCK_SECONDS) as connection:
                    found, rows = read_ceilings(connection, rate)
                if not rows:
                    raise RefusedError(404, "no ceiling yet: too few calls show what they need")
                if any(known[0] != key[0] for known in self._ceilings) or len(self._ceilings) > 64:
                    self._ceilings.clear()
                self._ceilings[key] = as_form(rows, form)[0], found
            return self._ceilings[key]

    def _rows(self) -> dict[str, int]:
        state = self._state()
        with self._lock:
            if self._known is None or self._known[0] != state:
                with open_database(self.path, lock_timeout=0, allow_empty=True) as connection:
                    self._known = state, {row["name"]: row["n"] for row in tables(connection)}
            return self._known[1]

    def _state(self) -> tuple[int, int, int]:
        try:
            status = self.path.stat()
        except OSError:
            return (0, 0, 0)
        return status.st_ino, status.st_size, status.st_mtime_ns


async def get_ceilings(request: Request) -> Response:
    """Answer with the ceilings of the last build, as `tokenest export ceilings` writes them."""
    asked = request.query_params
    check_names(asked, ("for", "max_truncation"))
    form = asked.get("for", Form.JSON.value)
    if form not in set(Form):
        raise RefusedError(400, f"for has to be one of {', '.join(Form)}")
    try:
        rate = float(asked.get("max_truncation", USUAL_RATE))
    except ValueError:
        rate = -1.0
    if not 0 < rate < 1:
        raise RefusedError(400, "max_truncation has to be a rate between 0 and 1")
    database: Database = request.app.state.database
    text, found = await THREADS.run(database.ceilings, Form(form), rate)
    media_type = YAML if form == Form.LITELLM else JSON
    headers = {"tokenest-max-truncation": json.dumps(found)}
    return Response(text, media_type=media_type, headers=headers)
