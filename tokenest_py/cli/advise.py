"""`tokenest advise`: the first minute of a stranger, with nothing configured."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from tokenest_py.cli import output
from tokenest_py.cli.options import FormatOption, LockTimeoutOption, OutputOption
from tokenest_py.cli.output import Format
from tokenest_py.cli.progress import run_with_progress
from tokenest_py.cli.say import say
from tokenest_py.errors import DatabaseError, NoDataError, UsageError
from tokenest_py.pipeline.advice.advice import VIEWS, read_advice
from tokenest_py.pipeline.advice.logs import find_logs
from tokenest_py.pipeline.database import check_file, open_database, wait_for
from tokenest_py.pipeline.files import readable
from tokenest_py.pipeline.plan.open_vars import open_vars
from tokenest_py.pipeline.plan.store import current_plan
from tokenest_py.pipeline.rates import USUAL_RATE
from tokenest_py.pipeline.report.words import count
from tokenest_py.pipeline.scratch import scratch_folder
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenest_py.pipeline.advice.advice import Advice
    from tokenest_py.pipeline.advice.logs import Logs

__all__ = ["advise", "as_text"]

LABEL = r"(?!(?:model|input_bin)$)[a-z][a-z0-9_]{0,31}"
PATH = r'[A-Za-z0-9_$./+>{}\[\]" -]{1,200}'
MOST_GROUPS = 20


def advise(
    paths: Annotated[
        list[str], typer.Argument(help="Log files or folders; claude_code:PATH says whose.")
    ],
    *,
    max_truncation: Annotated[
        float,
        typer.Option(min=0.0001, max=0.9999, help="Accepted share of answers that are cut off."),
    ] = USUAL_RATE,
    group_by: Annotated[
        str | None, typer.Option(help="A label, or a path of the log such as metadata.feature.")
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=1, max=10**8, help="The ceiling of calls whose record holds none."),
    ] = None,
    database: Annotated[
        Path | None, typer.Option("--db", help="Keep the database in this file.")
    ] = None,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Say what is cut off in logs, and which max_tokens to set."""
    logs = find_logs(paths)
    variables, words = _vars(max_truncation, group_by, max_tokens)
    console = Console(stderr=True)

    def tell(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    tell(f"reading {count(logs.files, 'file')}")
    with _place(database, logs) as settings:
        if settings.database.exists():
            _check_own(settings.database, lock_timeout, is_read_anew="label_paths" in variables)
        plan = current_plan(settings, variables, tell, words)
        run_with_progress(
            plan.leading_to(VIEWS),
            readable(settings),
            console,
            lock_timeout=lock_timeout,
        )
        with open_database(
            settings.database, lock_timeout=lock_timeout, allow_empty=True
        ) as connection:
            advice = read_advice(connection, max_truncation)
    if not advice.groups:
        raise NoDataError("; ".join(["no call found", *advice.known()]))
    if group_by is not None and all(row["labels"] == "{}" for row in advice.groups):
        say(f"no call says {group_by}, so all of them are one group")
    if form is Format.TABLE:
        output.write(as_text(advice, logs), output_file)
        return
    for line in advice.known():
        say(line)
    output.write(output.render(advice.records(), form), output_file)


def as_text(advice: Advice, logs: Logs | None = None, *, most: int = MOST_GROUPS) -> str:
    """What the sources know, the groups, and what to do next."""
    table = advice.table()
    parts = ["".join(f"{line}\n" for line in advice.known())] if logs is not None else []
    shown = output.render(table[:most], Format.TABLE)
    if len(table) > most:
        where = "report.cmd_advise" if logs is None else "--format csv"
        shown += f"and {count(len(table) - most, 'more group')} ({where} has them all)\n"
    parts.append(shown)
    steps = advice.next_steps(logs)
    if logs is not None and logs.to_import:
        steps.append(
            f"{count(len(logs.to_import), 'file')} in other formats:"
            f" tokenest import {logs.to_import[0]}"
        )
    parts += ["".join(f"{step}\n" for step in steps)] if steps else []
    return "\n".join(parts)


def _vars(
    rate: float, group_by: str | None, max_tokens: int | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The vars that the options mean, and what is put into their plan; none for a build's own."""
    if (rate, group_by, max_tokens) == (USUAL_RATE, None, None):
        return {}, {}
    if group_by is None or re.fullmatch(LABEL, group_by):
        return open_vars(rate, max_tokens, label=group_by)
    if re.fullmatch(PATH, group_by):
        return open_vars(rate, max_tokens, path=group_by)
    raise UsageError("group-by", group_by, "a label such as category, or a path")


def _check_own(path: Path, lock_timeout: float, *, is_read_anew: bool) -> None:
    """Refuse a database of `tokenest build`, which this command would bring out of step."""
    check_file(path, "name another --db")
    connection = wait_for(path, lock_timeout, read_only=False)
    try:
        found = connection.execute(
            "select count(*) from duckdb_tables() where schema_name = 'origin'"
        ).fetchone()
    finally:
        connection.close()
    if found != (0,):
        message = f"{path} was made by `tokenest build`, which ends with this table; name another"
        raise DatabaseError(message)
    if is_read_anew:
        message = f"{path} holds these logs without the path of --group-by; name a new file"
        raise DatabaseError(message)


@contextlib.contextmanager
def _place(database: Path | None, logs: Logs) -> Iterator[Settings]:
    """The settings of a build with a database of its own, which goes away unless it is named."""
    with scratch_folder("advise-") as folder:
        path = folder / "calls.duckdb" if database is None else database.expanduser()
        yield Settings.read(
            TOKENEST_TELEMETRY=",".join(logs.globs),
            TOKENEST_DB=str(path.absolute()),
            TOKENEST_EXPORTS=str(folder / "exports"),
        )
