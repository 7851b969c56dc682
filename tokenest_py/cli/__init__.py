"""The `tokenest` command. Each command has a module of its own in this folder.

Exit codes: 0 ok, 1 error, 2 usage, 3 a gate failed, 4 no data or not enough, 75 database busy.
Results go to standard output, progress and errors to standard error; an error is one line.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer

from tokenest_py.cli import (
    backtest,
    build,
    calibrate,
    drain,
    estimate,
    identity,
    limits,
    plan,
    promote,
    replay,
    report,
    rollback,
    size,
)
from tokenest_py.errors import TokenestError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "run"]

app = typer.Typer(
    name="tokenest",
    help="Learns from telemetry how many output tokens a call needs, and sizes max_tokens from it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _options(
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if show_version:
        print(f"tokenest {version('tokenest')}")
        raise typer.Exit


app.command()(build.build)
app.command()(calibrate.calibrate)
app.command()(backtest.backtest)
app.command()(promote.promote)
app.command()(rollback.rollback)
app.command()(estimate.estimate)
app.command()(size.size)
app.command()(identity.identity)
app.command()(plan.plan)
app.add_typer(limits.limits, name="limits")
app.command()(drain.drain)
app.command()(replay.replay)
app.command()(report.report)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    # Files that this process creates (database, exports, reports) are the user's own.
    os.umask(0o077)
    try:
        result = app(args=list(arguments), prog_name="tokenest", standalone_mode=False)
    except TokenestError as error:
        return _say(str(error), error.exit_code)
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted", 130)
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain again while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except typer.TyperException as error:
        return _say(f"{error.format_message()} (see tokenest --help)", error.exit_code)
    return result if isinstance(result, int) else 0


def _say(message: str, exit_code: int) -> int:
    print(f"tokenest: {' '.join(message.split())}", file=sys.stderr)
    return exit_code
