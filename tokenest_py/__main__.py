"""Entry point of the `tokenest` command."""

from __future__ import annotations

import sys

# The package that is missing, and the extra that brings it.
EXTRAS = {
    "typer": "cli",
    "rich": "cli",
    "dbt": "pipeline",
    "duckdb": "pipeline",
    "jsonschema": "pipeline",
}


def main() -> None:
    """Run the command line; a missing extra is one line, not a traceback."""
    try:
        from tokenest_py.cli import run

        sys.exit(run(sys.argv[1:]))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print(f"tokenest: this needs an extra: pip install '.[{extra}]'", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
