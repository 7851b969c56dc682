"""The list of the commands; frame.py says how each begins and ends."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer

from tokenest_py.cli import (
    advise,
    backtest,
    backup,
    build,
    calibrate,
    drain,
    estimate,
    export,
    identity,
    imports,
    limits,
    plan,
    promote,
    replay,
    report,
    rollback,
    serve,
    size,
)
from tokenest_py.errors import TokenestError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "run"]

app = typer.Typer(
    name="tokenest",
    help="Learns from telemetry how many output tokens a call needs, and sizes max_tokens from it.",
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


app.command()(advise.advise)
app.command()(build.build)
app.command()(calibrate.calibrate)
app.command()(backtest.backtest)
app.command()(promote.promote)
app.command()(rollback.rollback)
app.command()(estimate.estimate)
app.command()(size.size)
app.command()(identity.identity)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(plan.plan)
app.add_typer(limits.limits, name="limits")
app.add_typer(export.export, name="export")
app.command("import")(imports.import_)
app.command()(drain.drain)
app.command()(replay.replay)
app.command()(report.report)
app.command()(serve.serve)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; where none is named print what there is."""
    words = list(arguments)
    if words in [[], *([group.name] for group in app.registered_groups)]:
        words.append("--help")
    try:
        result = app(args=words, prog_name="tokenest", standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)  # of the command whose words are wrong
        command = context.command_path if context else "tokenest"
        refused = TokenestError(f"{error.format_message()} (see {command} --help)")
        refused.exit_code = error.exit_code
        raise refused from error
    return result if isinstance(result, int) else 0
