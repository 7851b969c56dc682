"""The two models for calls that write documents alone: synthesis, and the history files.

A synthesis reads much before it writes; a history file (a changelog, say) has to be read before
it is continued. Neither grows with its files as the sum over deliverables does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tokenest_py.runtime.text import ascii_lower

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenest_py.runtime.deliverables import Deliverable
    from tokenest_py.runtime.table import Coefficients

DOCUMENT = "doc"  # the deliverable class
DOCUMENTATION = "documentation"  # the category
SYNTHESIS = "doc_synthesis"  # category and model
HISTORY = "doc_sot_update"  # category and model; "source of truth" is the origin's word
DELIVERABLES = "deliverables"  # the model that sums over the deliverables

_NO_WORD = re.compile(r"[^a-z0-9]+")


def choose(
    coefficients: Coefficients, deliverables: Sequence[Deliverable], category: str, task: str
) -> tuple[str, str, frozenset[str]]:
    """The model for a call whose deliverables are documents alone, its category, the features.

    A category that says its model gets that model, so that a stored category replays.
    """
    found = features(coefficients, deliverables, task)
    if category == SYNTHESIS:
        return SYNTHESIS, SYNTHESIS, found
    if category == HISTORY or is_history(coefficients, deliverables):
        return HISTORY, HISTORY, found
    if is_synthesis(found):
        return SYNTHESIS, SYNTHESIS, found
    return DELIVERABLES, DOCUMENTATION, found


def is_history(coefficients: Coefficients, deliverables: Sequence[Deliverable]) -> bool:
    """Whether one of the deliverables is a history file by the last word of its path."""
    return any(
        ascii_lower(item.path.replace(" ", "/").rpartition("/")[2]) in coefficients.history_files
        for item in deliverables
    )


def features(
    coefficients: Coefficients, deliverables: Sequence[Deliverable], task: str
) -> frozenset[str]:
    """The features that base names and task text reveal, compared word by word.

    Folders do not count: everything under examples/ would ask for examples.
    """
    names = " ".join(_words(item.path.rpartition("/")[2]) for item in deliverables)
    text = _words(task)
    return frozenset(
        feature
        for phrase, (feature, where) in coefficients.features.items()
        if _words(phrase) in text or (where == "any" and _words(phrase) in names)
    )


def is_synthesis(found: frozenset[str]) -> bool:
    """Whether the features ask for a synthesis: an API reference, or examples with more."""
    return "api_reference" in found or (
        "examples" in found and ("research" in found or "usage_guide" in found)
    )


def parts(
    coefficients: Coefficients, model: str, files: int, found: frozenset[str], scope_paths: int
) -> dict[str, int]:
    """The tokens of a document model by part, before the safety margin."""
    context = _context(coefficients, scope_paths)
    if model == HISTORY:
        return _history_parts(coefficients.constants, files, context)
    return _synthesis_parts(coefficients.constants, files, found, context)


def recorded_parts(
    coefficients: Coefficients, model: str, files: int, found: frozenset[str], scope_paths: int
) -> tuple[str, ...]:
    """The coefficients that `parts` adds up and how often; shares of the writing follow."""
    context = _context(coefficients, scope_paths)
    if model == HISTORY:
        return f"doc_sot_context_{context}:1", f"doc_sot_per_file:{files}"
    asked = [f"doc_synthesis_{name}:1" for name in ("api_reference", "examples") if name in found]
    return f"doc_synthesis_investigate_{context}:1", f"doc_synthesis_per_file:{files}", *asked


def _context(coefficients: Coefficients, scope_paths: int) -> str:
    if scope_paths > coefficients.constants["scope_strong_above"]:
        return "strong"
    return "some" if scope_paths else "none"


def _synthesis_parts(
    number: dict[str, float], files: int, found: frozenset[str], context: str
) -> dict[str, int]:
    writing = int(number["doc_synthesis_per_file"]) * files
    tokens = {
        "doc_synthesis_investigate": int(number[f"doc_synthesis_investigate_{context}"]),
        "doc_synthesis_writing": writing,
    }
    for feature in ("api_reference", "examples"):
        if feature in found:
            tokens[f"doc_synthesis_{feature}"] = int(number[f"doc_synthesis_{feature}"])
    if files >= number["doc_synthesis_coordination_files"]:
        tokens["doc_synthesis_coordination"] = int(number["doc_synthesis_coordination"] * writing)
    return tokens


def _history_parts(number: dict[str, float], files: int, context: str) -> dict[str, int]:
    writing = int(number["doc_sot_per_file"]) * files
    return {
        "sot_context_reconstruction": int(number[f"doc_sot_context_{context}"]),
        "sot_write_entries": writing,
        "sot_consistency_overhead": int(number["doc_sot_consistency"] * writing),
    }


def _words(text: str) -> str:
    """The text in lower-case words with one space around each."""
    return f" {_NO_WORD.sub(' ', ascii_lower(text)).strip(' ')} "
