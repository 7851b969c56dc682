"""The estimator that tokenest grew out of: frozen, faults included, never calibrated.

Where tokenest reads a deliverable or a category otherwise than the estimator it grew out of, the
old reading is kept here, so that old predictions can be reproduced and the two compared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tokenest_py import Estimator
from tokenest_py.runtime.deliverables import Deliverable, Reader
from tokenest_py.runtime.documents import (
    DELIVERABLES,
    DOCUMENTATION,
    HISTORY,
    SYNTHESIS,
    is_synthesis,
)
from tokenest_py.runtime.rules import ESTIMATOR_VERSION, Rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenest_py.runtime.table import Coefficients

NEW_VERBS = ("create", "new", "add")
VERBS = (*NEW_VERBS, "modify", "update")
TEST_SUFFIXES = ("_test.py", ".spec.ts", ".spec.tsx", ".test.ts", ".test.tsx")

_PATH = re.compile(r"[a-zA-Z0-9_\-./]+\.[a-zA-Z0-9]+")
_LEAD_IN = re.compile(r"^(?:create |modify |update |add |new file: |new: )+")
_NOTE = re.compile(r"\s*\([^()]*\)$")
_EXTENSION = re.compile(r"\.[a-zA-Z0-9]{2,4}")


__all__ = ["OriginEstimator"]


class OriginReader(Reader):
    """Reads a deliverable as the origin does."""

    def read(self, text: str, action: str | None, category: str) -> Deliverable:
        """One deliverable: the first thing with a dot is its path, any "add" inside makes it new.

        An action that came beside the path is read as a part of the text.
        """
        phrase = f"{action} {text}" if action else text
        lower = phrase.lower()
        found = _PATH.search(phrase)
        path = found[0] if found else _NOTE.sub("", _LEAD_IN.sub("", lower))
        said = "new" if any(verb in lower for verb in NEW_VERBS) else ""
        return Deliverable(
            phrase,
            path,
            self.classify(path, category),
            said,
            _EXTENSION.search(phrase) is not None,
            any(verb in lower for verb in VERBS),
        )

    def classify(self, path: str, category: str) -> str:
        """The class of a path; what the origin does not know as a test is no test."""
        lower = path.lower()
        base = lower.rpartition("/")[2]
        for rule in self.rules:
            if rule.matches(path, lower, base, category) and (rule.name != "test" or is_test(path)):
                return rule.name
        return ""


def is_test(path: str) -> bool:
    """Whether the origin takes a path for a test: Python's and TypeScript's alone."""
    lower = path.lower().replace("\\", "/")
    return (
        lower.startswith("tests/")
        or "/tests/" in lower
        or lower.rpartition("/")[2].startswith("test_")
        or lower.endswith(TEST_SUFFIXES)
    )


def overhead_key(category: str, complexity: str) -> tuple[str, str]:
    """Where the origin looks up the overhead: the category as spelled, no row for maintenance."""
    if complexity == "maintenance":
        complexity = ""
    return (DOCUMENTATION if category == "docs" else category), complexity


def is_document(text: str) -> bool:
    """Whether the origin takes a raw text for a document."""
    return text.startswith("docs/") or text.endswith(".md")


def choose(
    coefficients: Coefficients, deliverables: Sequence[Deliverable], category: str, task: str
) -> tuple[str, str, frozenset[str]]:
    """The model for documents alone, the category and the features, as the origin chooses them.

    A stored doc_synthesis gets the sum over deliverables, which is why it does not replay.
    """
    found = features(coefficients, deliverables, task)
    if is_history(coefficients, deliverables):
        return HISTORY, HISTORY, found
    if category not in (DOCUMENTATION, "docs", SYNTHESIS, HISTORY):
        category = DOCUMENTATION
    if category in (DOCUMENTATION, "docs") and is_synthesis(found):
        return SYNTHESIS, SYNTHESIS, found
    return DELIVERABLES, category, found


def is_history(coefficients: Coefficients, deliverables: Sequence[Deliverable]) -> bool:
    """Whether the raw text behind the last slash is the name of a history file."""
    return any(
        item.text.rpartition("/")[2].lower() in coefficients.history_files for item in deliverables
    )


def features(
    coefficients: Coefficients, deliverables: Sequence[Deliverable], task: str
) -> frozenset[str]:
    """The features that any substring of the deliverables or the task text reveals."""
    lower_task = task.lower()
    text = f"{' '.join(item.text for item in deliverables)} {task}".lower()
    return frozenset(
        feature
        for phrase, (feature, where) in coefficients.features.items()
        if phrase in (text if where == "any" else lower_task)
    )


class OriginRules(Rules):
    """A table read as the origin reads it."""

    version = f"{ESTIMATOR_VERSION}-origin"
    reader_type = OriginReader

    def category(self, name: str) -> str:
        """The category as it is spelled: the origin knows no aliases."""
        return name

    def overhead_key(self, category: str, complexity: str) -> tuple[str, str]:
        """The cell as the origin looks it up."""
        return overhead_key(category, complexity)

    def is_document(self, item: Deliverable) -> bool:
        """Whether the raw text looks like a document."""
        return is_document(item.text)

    def choose(
        self, items: Sequence[Deliverable], category: str, task: str
    ) -> tuple[str, str, frozenset[str]]:
        """The document model as the origin chooses it."""
        return choose(self.coefficients, items, category, task)


class OriginEstimator(Estimator):
    """Predicts as the origin does."""

    _rules_type = OriginRules
