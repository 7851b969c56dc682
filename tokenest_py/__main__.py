"""Entry point of the `tokenest` command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tokenest_py.cli.frame import framed
from tokenest_py.errors import TokenestError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> None:
    """Run what this process was started with."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command within its frame and return its exit code."""

    def command() -> int:
        try:
            from tokenest_py.cli import app
        except ModuleNotFoundError as error:
            if error.name not in {"typer", "rich"}:
                raise
            reason = "the command line needs its extra: pip install 'tokenest[pipeline]'"
            raise TokenestError(reason) from error
        return app.run(arguments)

    return framed(command)


if __name__ == "__main__":
    main()
