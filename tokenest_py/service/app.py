"""The list of the endpoints, and what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from tokenest_py.service.database import Database, get_ceilings
from tokenest_py.service.events import post_events
from tokenest_py.service.gate import Gate
from tokenest_py.service.health import get_health
from tokenest_py.service.otlp import post_logs, post_traces
from tokenest_py.service.otlp_kept import Kept
from tokenest_py.service.recording import Recording
from tokenest_py.service.requests import error_answer
from tokenest_py.service.sizing import Sizing, post_budget, post_estimate

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tokenest_py.pipeline.settings import Settings

__all__ = ["ROUTES", "make_app"]

ROUTES = [
    Route("/health", get_health, methods=["GET"]),
    Route("/v1/events", post_events, methods=["POST"]),
    Route("/v1/traces", post_traces, methods=["POST"]),
    Route("/v1/logs", post_logs, methods=["POST"]),
    Route("/v1/estimate", post_estimate, methods=["POST"]),
    Route("/v1/budget", post_budget, methods=["POST"]),
    Route("/v1/ceilings", get_ceilings, methods=["GET"]),
]


def make_app(settings: Settings) -> Starlette:
    """Return the application; `app.state` holds what its endpoints work on."""
    token = settings.values["TOKENEST_API_TOKEN"]
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(Gate, token=token)],
        exception_handlers={HTTPException: _refused},
    )
    app.state.recording = Recording(settings)
    app.state.sizing = Sizing()
    app.state.kept = Kept(settings.project / "models" / "staging" / "otel" / "fields.csv")
    app.state.database = Database(settings.database)
    return app


async def _refused(_: Request, error: Exception) -> Response:
    """Answer to a path or a method that there is not."""
    assert isinstance(error, HTTPException)
    response = error_answer(error.status_code, f"{error.detail}; see /openapi.json")
    response.headers.update(error.headers or {})
    return response
