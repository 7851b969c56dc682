"""Entry point of the `tokenest` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; a missing extra is one line, not a traceback."""
    try:
        from tokenest_py.cli import run
    except ModuleNotFoundError as error:
        if error.name in {"typer", "rich"}:
            print(
                "tokenest: the command line needs its extra: pip install 'tokenest[pipeline]'",
                file=sys.stderr,
            )
            sys.exit(1)
        raise
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
