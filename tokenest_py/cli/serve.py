"""`tokenest serve`: events, budgets, OTLP and runs over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tokenest_py.cli.say import say
from tokenest_py.pipeline.settings import Settings

__all__ = ["serve"]


def serve(
    *,
    host: Annotated[
        str, typer.Option(help="The address to listen at; beyond loopback a token is needed.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 8000,
    runs_folder: Annotated[
        Path, typer.Option("--runs", help="The folder of the runs that are drained through it.")
    ] = Path("runs"),
) -> None:
    """Serve events, budgets, OTLP and runs over HTTP.

    SIGTERM ends it, when what it has taken is answered.
    """
    from tokenest_py.service.server import serve

    serve(Settings.read(), host, port, runs_folder, say)
