"""`tokenest build`: runs the plan of the project, with calibration and advice at its end."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tokenest_py.cli import output
from tokenest_py.cli.advise import as_text
from tokenest_py.cli.options import FormatOption, LockTimeoutOption, OutputOption
from tokenest_py.cli.output import Format
from tokenest_py.cli.progress import run_with_progress
from tokenest_py.cli.say import say
from tokenest_py.cli.summary import print_summary
from tokenest_py.errors import BuildError, GateError, NoDataError, UsageError
from tokenest_py.pipeline.advice.advice import read_advice
from tokenest_py.pipeline.calibration.export_guard import guarded
from tokenest_py.pipeline.database import (
    check_file,
    open_database,
    read_view,
    wait_for,
)
from tokenest_py.pipeline.files import (
    IMPORTED,
    NOT_WHOLE,
    any_file_matches,
    make_folder,
    readable,
)
from tokenest_py.pipeline.plan.store import current_plan
from tokenest_py.pipeline.report.content import read_report
from tokenest_py.pipeline.report.queries import ANSWERED_FROM
from tokenest_py.pipeline.report.words import count
from tokenest_py.pipeline.schema import refuse_newer
from tokenest_py.pipeline.settings import DEFAULT_MEMORY_LIMIT, Settings

__all__ = ["build"]

MOST_GROUPS = 5


def build(
    *,
    telemetry: Annotated[
        str | None, typer.Option(help="Telemetry globs (overrides TOKENEST_TELEMETRY).")
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="Take a last line without a newline as torn.")
    ] = False,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Forget what landed and read every file again.")
    ] = False,
    variables: Annotated[
        str | None, typer.Option("--vars", help="Vars of this run, such as '{min_samples: 10}'.")
    ] = None,
    min_samples: Annotated[
        int | None, typer.Option(help="Calls that a multiplier or a verdict needs.")
    ] = None,
    confidence_threshold: Annotated[
        float | None, typer.Option(help="The confidence that a multiplier needs, 0 to 1.")
    ] = None,
    under_multiplier: Annotated[
        float | None, typer.Option(help="A call above so many predictions is underestimated.")
    ] = None,
    success_only: Annotated[
        bool, typer.Option("--success-only", help="Leave out calls not recorded as successful.")
    ] = False,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Land, score, calibrate, and export the coefficients."""
    given = _variables(
        variables,
        final=final or None,
        min_samples=min_samples,
        confidence_threshold=confidence_threshold,
        under_multiplier=under_multiplier,
        success_only=success_only or None,
    )
    settings = Settings.read(TOKENEST_TELEMETRY=telemetry)
    path = settings.database
    is_new = not path.exists()
    _check_memory_limit(settings.memory_limit)  # the first that needs DuckDB
    _refuse_nothing_to_build(settings)
    _prepare(settings, lock_timeout)
    settings = readable(settings)
    console = Console(stderr=True)
    started = time.monotonic()
    plan = current_plan(
        settings,
        given,
        lambda text: console.print(text, highlight=False, soft_wrap=True),
    )
    if is_new:
        console.print(f"creating database {path}", highlight=False, soft_wrap=True)
    with guarded(settings.exported_table) as guard:
        outcome = run_with_progress(
            plan, settings, console, lock_timeout=lock_timeout, full_refresh=full_refresh
        )
    for warning in outcome.warnings:
        console.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True)
    with open_database(path, lock_timeout=lock_timeout, allow_empty=True) as connection:
        landed = read_view(connection, "rpt_landing")[0]
        # the multiplier that is exported, beside the origin's; the mart has every method
        calibration = read_view(connection, "cmd_build_multipliers")
        content = read_report(connection, ANSWERED_FROM)
        advice = read_advice(connection)
    seconds = time.monotonic() - started
    console.print(_summary(landed, seconds, settings), highlight=False, soft_wrap=True)
    if not landed["events"] and not guard.fault:
        why = "no line of it is a call"
        if landed["quarantined"]:
            lines = count(landed["quarantined"], "line")
            why = f"{lines} quarantined (marts.rejected_lines); {IMPORTED}"
        elif outcome.warnings:
            why = "see the warnings above"
        elif not landed["lines"]:
            why = f"it holds no whole line: {NOT_WHOLE}; {IMPORTED}"
        raise NoDataError(f"no event landed from {', '.join(settings.telemetry)}: {why}")
    if not calibration and form is Format.TABLE:
        console.print("no multipliers yet: no successful call carries a prediction")
    output.write(output.render(calibration, form), output_file)
    print_summary(content, console, most_lines=0)
    console.file.write(f"\n{as_text(advice, most=MOST_GROUPS)}")
    set_aside = "the telemetry files named above were set aside; the rest landed"
    faults = [guard.fault] * bool(guard.fault) + [set_aside] * outcome.has_left_out
    if faults:
        raise GateError("; ".join(faults))


def _variables(text: str | None, **options: float | None) -> dict[str, Any]:
    """Return the vars of the run: what --vars says, and the options with a name of their own."""
    given: Any = {}
    if text is not None:
        import yaml  # here, since few runs need it

        try:
            # YAML makes an object of a time, which is a text in SQL
            given = json.loads(json.dumps(yaml.safe_load(text), default=str))
        except (yaml.YAMLError, ValueError, TypeError):
            given = None
        if not isinstance(given, dict):
            raise UsageError("--vars", text, "vars with a value each, such as {min_samples: 10}")
    return {**given, **{name: value for name, value in options.items() if value is not None}}


def _refuse_nothing_to_build(settings: Settings) -> None:
    for glob in settings.telemetry:
        if "://" in glob:  # DuckDB would fetch an extension for it
            message = f"TOKENEST_TELEMETRY names {glob}, and a build reads files of this machine"
            raise BuildError(f"{message}; copy them, or mount their place")
    if any_file_matches(settings.telemetry):
        return
    where = ", ".join(str(Path(glob).absolute()) for glob in settings.telemetry) or "nowhere"
    message = f"no file matches {where}; set TOKENEST_TELEMETRY or --telemetry"
    if not settings.database.exists():
        raise NoDataError(f"no telemetry: {message}")
    say(f"warning: {message}, unless all files are archived")


def _check_memory_limit(limit: str) -> None:
    """Ask DuckDB here: later it would name neither the variable nor its value."""
    import duckdb

    if limit == DEFAULT_MEMORY_LIMIT:  # to ask makes a database: a hundredth of a small build
        return
    try:
        duckdb.connect(config={"memory_limit": limit}).close()
    except duckdb.Error as error:
        message = f"TOKENEST_MEMORY_LIMIT is {limit!r}; it must be like 2GB, or like 80%"
        raise BuildError(message) from error


def _prepare(settings: Settings, lock_timeout: float) -> None:
    """Make sure that the run will find a free database, and folders to write to."""
    path = settings.database
    if path.exists():
        check_file(path, "move it away, or set TOKENEST_DB")
        with wait_for(path, lock_timeout, read_only=False) as connection:
            refuse_newer(path, connection)
    for folder in (path.parent, settings.exports):
        make_folder(folder, "set TOKENEST_DB, TOKENEST_EXPORTS")


def _summary(found: dict[str, Any], seconds: float, settings: Settings) -> str:
    attempts = f", {count(found['attempts'], 'attempt')}" if found["attempts"] else ""
    gone = f"; {count(found['gone'], 'file')} gone or not asked for" if found["gone"] else ""
    why = "\nmarts.rejected_lines says why a line is quarantined" if found["quarantined"] else ""
    return (
        f"{count(found['lines'], 'line')} in {count(found['files'], 'file')}"
        f" = {found['accepted']} accepted"
        f" + {found['duplicate']} duplicate + {found['quarantined']} quarantined"
        f" + {found['blank']} blank + {found['other']} other{gone} ({seconds:.1f} s)\n"
        f"{count(found['events'], 'event')}{attempts}; {count(found['multipliers'], 'multiplier')},"
        f" {count(found['budgets'], 'budget')} in {settings.exported_table}{why}"
    )
