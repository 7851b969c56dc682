"""Prints pages of docs/reference/: `python -m tokenest_py.cli.reference cli|coefficients|settings`.

What a page says is read from where the program reads it, and a test holds the pages to it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from tokenest_py.cli.app import app
from tokenest_py.pipeline.settings import VARIABLES
from tokenest_py.runtime.table.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PAGES"]

AGAIN = "`make reference` prints this page again."
WIDTH = 78  # as on a terminal of 80 columns

SETTINGS = """# Settings

Every environment variable, each with a default that works in the project's folder. A command reads
them once, when it begins; an empty one counts as not set, and `~` at the start of a path is the
home folder. What may be turned in the SQL is a var ([vars.md](vars.md)).
"""
# who reads a variable: what the page calls them
GROUPS = {
    "commands": "Read by the commands; those marked dbt by plain `dbt build` too",
    "recorder": "Read by the recorder alone",
    "service": "Read by `tokenest serve` and `tokenest drain --api-url`",
    "worker": "Given to the worker of `tokenest drain`",
}
COMMANDS = """# Commands

What each command says of itself with `--help`. A result goes to standard output, everything else to
standard error, and an error is one line that begins with `tokenest:`.
"""
COEFFICIENTS = """# Kinds of coefficients

The rows of the exported table ([what it is](../coefficients.md)). A kind has the keys that it must
have, and may have others; a value lies within its bounds, or the runtime refuses the file.
"""


def settings() -> str:
    """docs/reference/settings.md."""
    parts = [SETTINGS, AGAIN, ""]
    for reader, title in GROUPS.items():
        parts += [f"## {title}", ""]
        rows = []
        for variable in VARIABLES:
            if variable.readers[0] == reader:
                default = f"`{variable.default}`" if variable.default else ""
                others = ", ".join(variable.readers[1:])
                name = f"`{variable.name}`" + (f" ({others})" if others else "")
                rows.append((name, variable.kind, default, variable.says))
        parts += [*_table(("variable", "what it must be", "default", "what it does"), rows), ""]
    return "\n".join(parts)


def coefficients() -> str:
    """docs/reference/coefficients.md."""
    rows = []
    for name, kind in sorted(KINDS.items()):
        must = ", ".join(sorted(kind.must - {"kind", "value"}))
        may = ", ".join(sorted(kind.may))
        unit = " tokens" if kind.is_tokens else ""
        value = f"{kind.low:,.12g} to {kind.high:,.12g}{unit}" if "value" in kind.must else ""
        choices = f" `{kind.chosen}`: {', '.join(kind.choices)}." if kind.chosen else ""
        rows.append((f"`{name}`", must, may, value, kind.says + choices))
    table = _table(("kind", "keys", "further keys", "value", "what it means"), rows)
    return "\n".join([COEFFICIENTS, AGAIN, "", *table, ""])


def commands() -> str:
    """docs/reference/cli.md."""
    group = typer.main.get_command(app)
    top = group.make_context("tokenest", [], resilient_parsing=True, terminal_width=WIDTH)
    parts = [COMMANDS, AGAIN, "", "```text", group.get_help(top), "```"]
    waiting = [("tokenest", group, top)]
    while waiting:
        path, command, context = waiting.pop()
        if context is not top:
            parts += ["", f"## {path}", "", "```text", command.get_help(context), "```"]
        for name, one in sorted(getattr(command, "commands", {}).items(), reverse=True):
            within = one.make_context(name, [], parent=context, resilient_parsing=True)
            waiting.append((f"{path} {name}", one, within))
    return "\n".join([*parts, ""])


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [heads, ("---",) * len(heads), *rows]
    return ["".join(f"| {cell} " if cell else "| " for cell in line) + "|" for line in lines]


PAGES = {"cli": commands, "coefficients": coefficients, "settings": settings}

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
