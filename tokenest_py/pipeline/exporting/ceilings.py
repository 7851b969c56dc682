"""Ceilings by group or by model, in the forms that gateways and clients take."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.database import read_view
from tokenest_py.pipeline.rates import at_nearest_rate

if TYPE_CHECKING:
    import duckdb

__all__ = ["Form", "as_form", "read_ceilings"]

Row = dict[str, Any]


class Form(StrEnum):
    """Who takes the ceilings."""

    LITELLM = "litellm"
    OPENAI = "openai"
    JSON = "json"


def read_ceilings(connection: duckdb.DuckDBPyConnection, rate: float) -> tuple[float, list[Row]]:
    """Return the ceilings of that rate of the build which is nearest to the rate, and that rate."""
    return at_nearest_rate(read_view(connection, "cmd_export_ceilings"), rate)


def as_form(rows: list[Row], form: Form) -> tuple[str, int]:
    """Return the text, and how many of its ceilings may have to be higher."""
    chosen = [row for row in rows if (row["kind"] == "model") == (form is Form.LITELLM)]
    at_least = sum(row["is_at_least"] for row in chosen)
    if form is Form.LITELLM:
        return _litellm(chosen), at_least
    ceilings = {_name(row["name"]): row["max_tokens"] for row in chosen}
    if form is Form.JSON:
        return json.dumps(ceilings, indent=2, ensure_ascii=False) + "\n", at_least
    arguments = {name: {"max_completion_tokens": tokens} for name, tokens in ceilings.items()}
    return json.dumps(arguments, indent=2, ensure_ascii=False) + "\n", at_least


def _name(labels: str) -> str:
    return " / ".join(json.loads(labels).values()) or "all"


def _litellm(rows: list[Row]) -> str:
    """The list of models of a proxy's config.yaml: litellm_params takes what completion() takes."""
    if not rows:
        return "model_list: []\n"
    lines = ["model_list:"]
    for row in rows:
        name, provider = row["name"], row["served_by"]
        model = name if "/" in name or not provider else f"{provider}/{name}"
        # a JSON text is a YAML text
        lines += [
            f"  - model_name: {json.dumps(name)}",
            "    litellm_params:",
            f"      model: {json.dumps(model)}",
            f"      max_tokens: {row['max_tokens']}",
        ]
    return "\n".join([*lines, ""])
