"""`tokenest limits`: what models take at most, and where that comes from."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenest_py.cli import output
from tokenest_py.cli.options import FormatOption, OutputOption
from tokenest_py.cli.output import Format
from tokenest_py.pipeline.settings import Settings
from tokenest_py.runtime.limits import Limits, canonical

__all__ = ["limits"]

limits = typer.Typer(help="Show or renew what models take at most.")


@limits.command()
def show(
    models: Annotated[list[str], typer.Argument(help="Names, as an application writes them.")],
    *,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
) -> None:
    """Show the limits of models; a dash where nobody says."""
    known = Limits()
    rows = [
        {"model": model, "found_as": canonical(model), **known.find(model)._asdict()}
        for model in models
    ]
    output.write(output.render(rows, form), output_file)


@limits.command()
def update(
    *,
    source: Annotated[
        str,
        typer.Option("--from", help="litellm or models.dev (packages), or a file of theirs."),
    ],
) -> None:
    """Write seeds/estimator/model_limits.csv anew."""
    from tokenest_py.pipeline.limits import update as renew

    seed = Settings.read().project / "seeds" / "estimator" / "model_limits.csv"
    before, after = renew(seed, source)
    print(f"{seed}: {after} models, {before} before")
