"""Entry point of the `tokenest` command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tokenest_py.cli.frame import framed
from tokenest_py.errors import TokenestError

if TYPE_CHECKING:
    from collections.abc import Sequence

# The package that is missing, and the extra that brings it.
EXTRAS = {
    "anyio": "serve",
    "typer": "cli",
    "rich": "cli",
    "dbt": "pipeline",
    "dbt_common": "pipeline",
    "duckdb": "pipeline",
    "jinja2": "pipeline",
    "jsonschema": "pipeline",
    "markupsafe": "pipeline",
    "yaml": "pipeline",
    "google": "serve",
    "h11": "serve",
    "opentelemetry": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
}


def main() -> None:
    """Run what this process was started with."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command within its frame and return its exit code."""

    def command() -> int:
        try:
            from tokenest_py.cli import app

            return app.run(arguments)
        except ModuleNotFoundError as error:
            extra = EXTRAS.get((error.name or "").partition(".")[0])
            if extra is None:
                raise
            raise TokenestError(f"this needs an extra: pip install 'tokenest[{extra}]'") from error

    return framed(command)


if __name__ == "__main__":
    main()
