"""Writes seeds/estimator/model_limits.csv anew from a table that others keep. No network."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from tokenest_py.errors import TokenestError, UsageError
from tokenest_py.runtime.limits import canonical

COLUMNS = (
    "model", "max_output", "context_window", "max_input", "source", "as_of", "deprecation_date",
)  # fmt: skip
KEPT = 0.9  # of the models that are known, a source has to know as many
_LITELLM = "model_prices_and_context_window_backup.json"
_MODES = {"chat", "responses", "completion"}
# Who makes a model knows it best; gateways repeat what they were told.
_FIRST_PARTY = {"openai", "anthropic", "gemini", "mistral", "deepseek", "xai", "cohere_chat"}

Row = dict[str, str]


class Said(NamedTuple):
    """What a source says of one model at one provider."""

    provider: str
    max_output: int
    context_window: int | None
    max_input: int | None
    deprecation_date: str


def update(seed: Path, source: str) -> tuple[int, int]:
    """Replace the seed's rows; how many it had, and has.

    Args:
        seed: The seed.
        source: "litellm" for the installed package, or a file: LiteLLM's table or the api.json of
            models.dev.

    Raises:
        TokenestError: The source cannot be read, or knows too few of the models.
    """
    label, table = _load(source)
    with seed.open(newline="", encoding="utf-8") as file:
        before = {row["model"]: row for row in csv.DictReader(file)}
    found = _rows(table, label, before)
    lost = [name for name in before if name not in found]
    if len(lost) > len(before) * (1 - KEPT):
        message = f"{label} does not know {len(lost)} of {len(before)} models, {lost[0]} among them"
        raise TokenestError(f"{message}; the limits stay as they are")
    rows = {**{name: before[name] for name in lost}, **found}
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows([rows[name] for name in sorted(rows)])
    temporary = seed.with_suffix(".tmp")
    temporary.write_text(buffer.getvalue(), encoding="utf-8")
    temporary.replace(seed)
    return len(before), len(rows)


def _load(source: str) -> tuple[str, dict[str, Any]]:
    """The name of the source and its table."""
    label, path = source, Path(source)
    if source == "litellm":
        package = importlib.util.find_spec("litellm")
        if package is None or package.origin is None:
            raise UsageError("from", source, "a file: litellm is not installed here")
        label = f"litellm {metadata.version('litellm')}"
        path = Path(package.origin).parent / _LITELLM
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TokenestError(f"{path} cannot be read: {error}; use litellm or a file") from error
    if not isinstance(table, dict):
        raise TokenestError(f"{path} is no table of models; use LiteLLM's or models.dev's api.json")
    return label if source == "litellm" else path.name, table


def _rows(table: dict[str, Any], label: str, before: dict[str, Row]) -> dict[str, Row]:
    """One row a canonical name. What the source does not say stays as it was."""
    said: dict[str, list[Said]] = defaultdict(list)
    for name, one in _entries(table):
        said[canonical(name)].append(one)
    rows: dict[str, Row] = {}
    for name, all_of_it in said.items():
        makers = [one for one in all_of_it if one.provider in _FIRST_PARTY] or all_of_it
        counts = Counter(one.max_output for one in makers)
        most = max(counts, key=lambda tokens: (counts[tokens], -tokens))
        best = next(one for one in makers if one.max_output == most)
        known = before.get(name, {})
        rows[name] = {
            "model": name,
            "max_output": str(most),
            "context_window": str(best.context_window or known.get("context_window") or ""),
            "max_input": str(best.max_input or known.get("max_input") or ""),
            "source": label,
            "as_of": datetime.now(tz=UTC).date().isoformat(),
            "deprecation_date": best.deprecation_date,
        }
    return rows


def _entries(table: dict[str, Any]) -> list[tuple[str, Said]]:
    """The models of either format that have a limit on output."""
    found = []
    for name, entry in table.items():
        if not isinstance(entry, dict):
            continue
        if isinstance(entry.get("models"), dict):  # models.dev: provider, then models
            for model, its in entry["models"].items():
                limit = its.get("limit") or {}
                if _is_count(limit.get("output")):
                    one = Said(name, limit["output"], _count(limit.get("context")),
                               _count(limit.get("input")), "")  # fmt: skip
                    found.append((model, one))
        elif entry.get("mode") in _MODES and _is_count(entry.get("max_output_tokens")):
            one = Said(
                str(entry.get("litellm_provider", "")), int(entry["max_output_tokens"]), None,
                _count(entry.get("max_input_tokens")), str(entry.get("deprecation_date") or ""),
            )  # fmt: skip
            found.append((name, one))
    return found


def _is_count(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 1


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and _is_count(value) else None
