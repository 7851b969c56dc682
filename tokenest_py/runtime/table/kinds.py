"""The kinds of rows: ONE row a kind, read by the checks of the file and by the table's index."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Row = dict[str, Any]

MAX_TEXT = 512
TEXTS = frozenset({"kind", "name", "category", "complexity", "model", "label", "method"})

_WHOLE: set[type] = {int}
_NUMBER: set[type] = {int, float}
# key: the types and the bounds of its value
NUMBERS: dict[str, tuple[set[type], float, float]] = {
    "position": (_WHOLE, 0, 1_000_000),
    "input_bin": (_WHOLE, 0, 400),
    "n": (_WHOLE, 0, 2**53),
    "max_truncation": (_NUMBER, 1e-6, 0.999999),
    "threshold": (_NUMBER, 0, 1e9),
    "confidence": (_NUMBER, 0, 1),
    "value": (_NUMBER, -100, 1e9),
}

# What the code asks for by name, with bounds: a table without one of them is of no use.
CONSTANTS = {
    "safety_margin": (0.1, 10),
    "default_phase_overhead": (0, 1e6),
    "default_interval": (0, 1),
    "confidence_base": (0, 1),
    "confidence_extension": (0, 1),
    "confidence_action": (0, 1),
    "confidence_no_deliverables": (0, 1),
    "confidence_doc_synthesis": (0, 1),
    "confidence_doc_sot_update": (0, 1),
    "file_size_minimum": (0.01, 100),
    "file_size_maximum": (0.01, 100),
    "documentation_models": (0, 1),
    "scope_strong_above": (0, 1e6),
    "doc_synthesis_investigate_none": (0, 1e6),
    "doc_synthesis_investigate_some": (0, 1e6),
    "doc_synthesis_investigate_strong": (0, 1e6),
    "doc_synthesis_api_reference": (0, 1e6),
    "doc_synthesis_examples": (0, 1e6),
    "doc_synthesis_per_file": (0, 1e6),
    "doc_synthesis_coordination": (0, 10),
    "doc_synthesis_coordination_files": (0, 1e6),
    "doc_sot_context_none": (0, 1e6),
    "doc_sot_context_some": (0, 1e6),
    "doc_sot_context_strong": (0, 1e6),
    "doc_sot_per_file": (0, 1e6),
    "doc_sot_consistency": (0, 10),
    "max_budget": (1, 1e7),
    "min_budget": (1, 1e6),
    "retry_factor": (1, 10),
}


class Kind(NamedTuple):
    """What the rows of a kind have to say, and how the table keeps them.

    Attributes:
        says: What they mean, in a sentence.
        must: Keys that a row must have.
        may: Keys that it may have beside them.
        low: The least value.
        high: The largest value.
        is_tokens: Whether the value is a whole number of tokens.
        attribute: The look-up of Coefficients that the rows go to.
        key: What a row is looked up by; no two rows have the same, unless `is_list`.
        entry: What is kept of a row.
        chosen: The key with a fixed choice of values; "" without one.
        choices: What that key may say.
        is_list: Whether rows with the same key make a list. The key then gives a value for each
            level of the table that the row names.
    """

    says: str
    must: frozenset[str]
    may: frozenset[str]
    low: float
    high: float
    is_tokens: bool
    attribute: str
    key: Callable[[Row], Any]
    entry: Callable[[Row], object]
    chosen: str
    choices: tuple[str, ...]
    is_list: bool


def _kind(
    says: str,
    must: str,
    attribute: str,
    key: Callable[[Row], object],
    entry: Callable[[Row], object],
    *,
    may: str = "",
    bounds: tuple[float, float] = (0, 0),
    is_tokens: bool = False,
    chosen: str = "",
    choices: str = "",
    is_list: bool = False,
) -> Kind:
    return Kind(
        says,
        frozenset(["kind", *must.split()]),
        frozenset(may.split()),
        *bounds,
        is_tokens,
        attribute,
        key,
        entry,
        chosen,
        tuple(choices.split()),
        is_list,
    )


def _cell(row: Row) -> tuple[str, str]:
    return row.get("category", ""), row.get("complexity", "")


def _budget_cell(row: Row) -> dict[str, object]:
    return {**row["labels"], "model": row.get("model"), "input_bin": row.get("input_bin")}


def _quantile(row: Row) -> tuple[float, int, int, bool, float]:
    return (
        row["max_truncation"],
        int(row["value"]),
        row.get("n", 0),
        row["label"] == "identified",
        row.get("confidence", 1.0),
    )


def _run_factor(row: Row) -> tuple[str, object, int, float]:
    return row["name"], _key(row)[0], row["position"], row["max_truncation"]


def _so_far_quantile(row: Row) -> tuple[str, object, int | None, float]:
    return row["name"], _key(row)[0], row.get("position"), row["max_truncation"]


def _key(row: Row) -> tuple[object, object]:
    """The widest label and the model; None is all of them."""
    return next(iter(row["labels"].values()), None), row.get("model")


def _name(row: Row) -> object:
    return row["name"]


def _label(row: Row) -> object:
    return row["label"]


def _position(row: Row) -> object:
    return row["position"]


def _name_and_label(row: Row) -> tuple[str, str]:
    return row["name"], row["label"]


def _kind_and_cell(row: Row) -> tuple[str, str, str]:
    return (row["kind"], *_cell(row))


def _tokens(row: Row) -> int:
    return int(row["value"])


def _number_and_n(row: Row) -> tuple[float, int]:
    return float(row["value"]), row["n"]


def _ratio(row: Row) -> float:
    return float(row["value"])


_CALIBRATED = "n confidence method"

KINDS = {
    "action_word": _kind(
        "A word that says whether a file is new.",
        "name label", "action_words", _name, _label, chosen="label", choices="new modified",
    ),
    "answer_length": _kind(
        "Tokens that two whole answers of the model had at least: a known limit below is wrong.",
        "model value", "answer_lengths", lambda row: row["model"], _tokens,
        bounds=(1, 1e8), is_tokens=True,
    ),
    "base_budget": _kind(
        "The floor of a budget, in tokens; no category: all others, no complexity: unknown.",
        "value", "floors", _cell, _tokens,
        may="category complexity", bounds=(1, 1e7), is_tokens=True,
    ),
    "budget": _kind(
        "A calibrated ceiling, in tokens; label says whether the data identify it.",
        "labels max_truncation label value", "cells", _budget_cell, _quantile,
        may=f"model input_bin {_CALIBRATED}", bounds=(1, 1e8), is_tokens=True,
        chosen="label", choices="identified at_least", is_list=True,
    ),
    "budget_buffer": _kind(
        "A factor on the estimate without a quantile; name is when, the largest that holds counts.",
        "position name value", "buffers", _position,
        lambda row: (row["name"], *_cell(row), row.get("threshold", 0.0), row["value"]),
        may="category complexity threshold", bounds=(1, 100),
        chosen="name", choices="always confidence_below deliverables_at_least category",
    ),
    "category_alias": _kind(
        "name is a spelling, label the canonical category.",
        "name label", "category_aliases", _name, _label,
    ),
    "complexity_alias": _kind(
        "name is a spelling, label the canonical complexity.",
        "name label", "complexity_aliases", _name, _label,
    ),
    "complexity_suffix": _kind(
        "name is an ending of a complexity that means nothing.",
        "name", "complexity_suffixes", _name, _name,
    ),
    "constant": _kind(
        "Margins, parameters of confidence and of the document models, limits.",
        "name value", "constants", _name, _ratio, bounds=(0, 1e7),
    ),
    "deliverable_class": _kind(
        "name is the class, label the pattern; the first match in order of position wins.",
        "position name method", "classes", _position,
        lambda row: (row["name"], row["method"], row.get("label", "")),
        may="label", chosen="method",
        choices="prefix contains suffix suffix_cased basename basename_prefix category any",
    ),
    "document_feature": _kind(
        "name is the feature, label the phrase, method where it is looked for: any or task.",
        "name label method", "features", _label, lambda row: (row["name"], row["method"]),
        chosen="name", choices="api_reference examples usage_guide research",
    ),
    "file_size_factor": _kind(
        "A factor on the weight of an existing file; it applies below threshold.",
        "position name value", "file_sizes", lambda row: (row["name"], row["position"]),
        lambda row: (row.get("threshold", float("inf")), row["value"]),
        may="threshold", bounds=(0.01, 100), chosen="name", choices="loc imports indent",
    ),
    "history_file": _kind(
        "label is the name of a file that keeps a history.",
        "label", "history_files", _label, _label,
    ),
    "median": _kind(
        "The median demand of a cell, for the estimate of a call without deliverables.",
        "labels value n", "medians", _budget_cell, _number_and_n,
        may="model input_bin confidence", bounds=(1, 1e8),
    ),
    "median_high": _kind(
        "The upper end of the range of single calls of a cell.",
        "labels value n", "median_highs", _budget_cell, _number_and_n,
        may="model input_bin confidence", bounds=(1, 1e8),
    ),
    "median_low": _kind(
        "The lower end of the range of single calls of a cell.",
        "labels value n", "median_lows", _budget_cell, _number_and_n,
        may="model input_bin confidence", bounds=(1, 1e8),
    ),
    "model_limit": _kind(
        "A limit of a model, in tokens. Older tables have it; it is checked and not used.",
        "model name value", "limits", lambda row: (row["model"], row["name"]), _tokens,
        bounds=(1, 1e8), is_tokens=True, chosen="name", choices="max_output context_window",
    ),
    "multiplier": _kind(
        "A calibrated factor on the whole estimate.",
        "value", "multipliers", _kind_and_cell, _ratio,
        may=f"category complexity {_CALIBRATED}", bounds=(0.01, 100),
    ),
    "multiplier_high": _kind(
        "The upper end of the range, as a factor on the base estimate.",
        "value", "multipliers", _kind_and_cell, _ratio,
        may=f"category complexity {_CALIBRATED}", bounds=(0.01, 1000),
    ),
    "multiplier_low": _kind(
        "The lower end of the range, as a factor on the base estimate.",
        "value", "multipliers", _kind_and_cell, _ratio,
        may=f"category complexity {_CALIBRATED}", bounds=(0.001, 100),
    ),
    "online_rate": _kind(
        "What the logarithm of a budget is moved by, so that its calls keep the rate.",
        "labels max_truncation value n", "online_rates",
        lambda row: (*_key(row), row["max_truncation"]), _number_and_n,
        may="model", bounds=(-3, 3),
    ),
    "phase_overhead": _kind(
        "The fixed tokens of a phase.",
        "category complexity value", "overheads", _cell, _tokens,
        may=_CALIBRATED, bounds=(0, 1e6), is_tokens=True,
    ),
    "run_factor": _kind(
        "What a budget is moved by because of what earlier calls of its run have shown.",
        "name labels position max_truncation value n", "run_factors", _run_factor, _number_and_n,
        bounds=(-20, 20), chosen="name", choices="same any turn",
    ),
    "so_far": _kind(
        "How far the calls of a value of the widest label, or of a model, lie above the median.",
        "labels value n", "so_far", _key, _number_and_n, may="model", bounds=(-20, 20),
    ),
    "so_far_quantile": _kind(
        "What the next call needed above that, by how many calls were known (position).",
        "name labels max_truncation label value n", "so_far_quantiles", _so_far_quantile,
        lambda row: (row["value"], row["n"], row["label"] == "identified"),
        may="position", bounds=(-20, 20), chosen="label", choices="identified at_least",
    ),
    "stop_reason": _kind(
        "name is the provider's word, label its class.",
        "name label", "stop_classes", _name, _label,
        chosen="label", choices="truncated complete tool filtered context_window",
    ),
    "token_weight": _kind(
        "The marginal tokens of a deliverable; name is its class, label whether it is new.",
        "name label value", "weights", _name_and_label, _tokens,
        may=_CALIBRATED, bounds=(0, 1e6), is_tokens=True, chosen="label", choices="new modified",
    ),
}  # fmt: skip
