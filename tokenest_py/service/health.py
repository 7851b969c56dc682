"""`GET /health`: what this service works on, and whether it can record."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from tokenest_py.service.requests import answer

if TYPE_CHECKING:
    from starlette.datastructures import State
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["get_health"]


async def get_health(request: Request) -> Response:
    """Answer with the identity; 503 with the reason when nothing can be recorded."""
    runs = request.query_params.getlist("run")[:100]
    content = await run_in_threadpool(_health, request.app.state, runs)
    return answer(content, 503 if content["fault"] else 200)


def _health(state: State, runs: list[str]) -> dict[str, Any]:
    fault = state.recording.fault()
    return {
        "status": "cannot record" if fault else "ok",
        "fault": fault,
        "version": version("tokenest"),
        "database": state.database.facts(),
        "coefficients": _coefficients(state),
        "telemetry": {
            "folder": str(state.recording.folder),
            "writable": not fault,
            "records": state.recording.written,
        },
        "runs": {run: state.leases.is_known(run) for run in runs},
    }


def _coefficients(state: State) -> dict[str, Any]:
    status = state.sizing.estimator.status()
    try:
        age = round(time.time() - Path(status.path).stat().st_mtime)
    except OSError:
        age = None
    return {
        "id": status.coefficients_id,
        "source": status.source,
        "path": status.path,
        "age_seconds": age,
        "fault": status.fault,
    }
