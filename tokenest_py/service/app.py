"""The list of the endpoints, and what they share."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from tokenest_py.errors import CollectionError
from tokenest_py.pipeline.identity import Identity
from tokenest_py.service.bounds import LEASE_SECONDS
from tokenest_py.service.database import Database, get_ceilings
from tokenest_py.service.events import post_events
from tokenest_py.service.gate import Gate
from tokenest_py.service.health import get_health
from tokenest_py.service.leases import Leases
from tokenest_py.service.openapi import get_openapi
from tokenest_py.service.otlp import post_logs, post_traces
from tokenest_py.service.otlp_kept import Kept
from tokenest_py.service.recording import Recording
from tokenest_py.service.requests import error_answer
from tokenest_py.service.runs import get_run, get_runs, lease_of_run, post_lease
from tokenest_py.service.sizing import Sizing, post_budget, post_estimate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from tokenest_py.pipeline.settings import Settings

__all__ = ["ROUTES", "make_app"]

ROUTES = [
    Route("/health", get_health, methods=["GET"]),
    Route("/openapi.json", get_openapi, methods=["GET"]),
    Route("/v1/events", post_events, methods=["POST"]),
    Route("/v1/traces", post_traces, methods=["POST"]),
    Route("/v1/logs", post_logs, methods=["POST"]),
    Route("/v1/estimate", post_estimate, methods=["POST"]),
    Route("/v1/budget", post_budget, methods=["POST"]),
    Route("/v1/ceilings", get_ceilings, methods=["GET"]),
    Route("/v1/runs", get_runs, methods=["GET"]),
    Route("/v1/runs/{run}", get_run, methods=["GET"]),
    Route("/v1/leases", post_lease, methods=["POST"]),
    Route("/v1/runs/{run}/leases/{lease}", lease_of_run, methods=["PUT", "POST", "DELETE"]),
]


def make_app(settings: Settings, runs: Path) -> Starlette:
    """Return the application; `app.state` holds what its endpoints work on.

    Raises:
        CollectionError: A run of which phases are out is damaged, or drained by somebody else.
    """
    token = settings.values["TOKENEST_API_TOKEN"]
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(Gate, token=token)],
        exception_handlers={HTTPException: _refused},
        lifespan=_living,
    )
    app.router.redirect_slashes = False  # an empty answer, which a client takes for success
    app.state.identity = Identity.of(settings)
    app.state.leases = Leases(runs, settings.telemetry_folder.absolute(), LEASE_SECONDS)
    app.state.leases.resume()
    app.state.recording = Recording(settings)
    app.state.sizing = Sizing(settings.coefficients)
    app.state.kept = Kept(settings.project / "models" / "staging" / "otel" / "fields.csv")
    app.state.database = Database(settings.database)
    return app


@contextlib.asynccontextmanager
async def _living(app: Starlette) -> AsyncIterator[None]:
    """Take back leases whose time is over, as long as the service runs; at the end let go."""

    async def sweep() -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 8)
            with contextlib.suppress(CollectionError):  # who asks for that run is told
                await run_in_threadpool(app.state.leases.sweep)

    sweeping = asyncio.create_task(sweep())
    try:
        yield
    finally:
        sweeping.cancel()
        app.state.leases.close()
        app.state.recording.close()


async def _refused(_: Request, error: Exception) -> Response:
    """Answer to a path or a method that there is not."""
    assert isinstance(error, HTTPException)
    response = error_answer(error.status_code, f"{error.detail}; see /openapi.json")
    response.headers.update(error.headers or {})
    return response
