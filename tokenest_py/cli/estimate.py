"""`tokenest estimate`: the prediction and the ceiling for one call, from the shell."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tokenest_py.cli import output
from tokenest_py.cli.options import FormatOption, OutputOption
from tokenest_py.cli.output import Format
from tokenest_py.cli.own_table import own_estimator
from tokenest_py.errors import UsageError

__all__ = ["estimate"]


def estimate(
    deliverables: Annotated[
        list[str] | None,
        typer.Argument(help="Paths or phrases ('Create src/a.py') that the call has to produce."),
    ] = None,
    *,
    category: Annotated[str | None, typer.Option(help="Category of the work.")] = None,
    complexity: Annotated[str | None, typer.Option(help="low, medium, high, maintenance.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Another label of the call: project=web; repeatable.")
    ] = None,
    task: Annotated[str, typer.Option(help="Text of the task.")] = "",
    workspace: Annotated[
        str | None, typer.Option(help="Folder in which existing files are looked up.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model that will be called.")] = None,
    input_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens of the prompt.")] = None,
    max_truncation: Annotated[
        float, typer.Option(min=0, max=1, help="Accepted share of answers that are cut off.")
    ] = 0.02,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say in words how each number came about.")
    ] = False,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
) -> None:
    """Predict the output of a call, and size its max_tokens."""
    estimator = own_estimator(workspace)
    predicted = estimator.estimate(
        deliverables,
        category,
        complexity,
        task=task,
        labels=_labels(label or []),
        model=model,
        input_tokens=input_tokens,
    )
    budget = estimator.budget(
        predicted, model=model, input_tokens=input_tokens, max_truncation=max_truncation
    )
    if explain:
        output.write(estimator.explain(predicted, budget).rstrip() + "\n", output_file)
        return
    answer: dict[str, Any] = {
        "estimated_tokens": predicted.estimated_tokens,
        "low": predicted.low,
        "high": predicted.high,
        "confidence": predicted.confidence,
        "max_tokens": budget.max_tokens,
        "source": budget.source,
        "n": budget.n,
        "identified": budget.identified,
        "category": predicted.category,
        "complexity": predicted.complexity,
        "coefficients_id": predicted.coefficients_id,
    }
    output.write(output.render([answer], form), output_file)


def _labels(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError("label", text, "name=value")
        found[name] = value
    return found
