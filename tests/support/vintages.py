"""Coefficient files for the tests: the packaged rows, changed, and the origin's two vintages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenest_py.runtime.table import PACKAGED
from tokenest_py.runtime.table.file import content_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Rows = list[dict[str, Any]]

# What the runtime makes of calls that it saw, small enough to be worked by hand.
SO_FAR = {
    "online_calls": 3,
    "online_most": 1.5,
    "online_step": 0.02,
    "so_far_half_life": 200,
    "so_far_shrinkage": 3,
}

# The six calls of the origin's first collection, with the deliverables as recorded.
SIX_CALLS: list[tuple[list[str], str, str]] = [
    (["src/import_autofix.py", "tests/test_import_autofix.py"], "implementation", "low"),
    (["src/conversation_state.py", "tests/test_conversation_state.py"], "refactoring", "medium"),
    (["src/fallback_chain.py", "tests/test_fallback_chain.py"], "implementation", "low"),
    (
        [
            "src/config/manager.py",
            "src/config/validators.py",
            "config/defaults.yaml",
            "tests/config/test_manager.py",
        ],
        "configuration",
        "medium",
    ),
    (
        [
            "src/integrations/external_api.py",
            "src/integrations/auth_manager.py",
            "src/integrations/retry_handler.py",
            "tests/integrations/test_external_api.py",
            "tests/integrations/test_auth_manager.py",
        ],
        "integration",
        "high",
    ),
    (
        [
            "docs/token_estimator/OVERVIEW.md",
            "docs/token_estimator/USAGE_GUIDE.md",
            "docs/token_estimator/API_REFERENCE.md",
            "docs/token_estimator/EXAMPLES.md",
            "docs/token_estimator/FAQ.md",
        ],
        "documentation",
        "low",
    ),
]


def packaged_rows() -> Rows:
    """The rows of the packaged defaults, without the header."""
    lines = Path(PACKAGED).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[1:]]


LEVELS = ("category", "complexity", "model", "input_bin")


def encode(rows: Rows, levels: Sequence[str] = LEVELS) -> bytes:
    """A coefficients file of these rows."""
    body = b"".join(
        json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for row in rows
    )
    header = {
        "kind": "header",
        "format_version": 2,
        "coefficients_id": content_id(body),
        "levels": levels,
        "rows": len(rows),
    }
    return json.dumps(header, separators=(",", ":")).encode() + b"\n" + body


def budget(rate: float, tokens: float, **fields: object) -> dict[str, Any]:
    """A budget row; what is no column of it is a label."""
    columns = ("model", "input_bin", "label", "n", "confidence", "method")
    row = {
        "kind": "budget",
        "labels": {name: value for name, value in fields.items() if name not in columns},
        "max_truncation": rate,
        "label": "identified",
        "value": tokens,
    }
    return row | {name: value for name, value in fields.items() if name in columns}


def write(folder: Path, change: Callable[[Rows], Rows], name: str = "coefficients.ndjson") -> Path:
    """A coefficients file with the packaged rows as `change` returns them."""
    path = folder / name
    path.write_bytes(encode(change(packaged_rows())))
    return path


def phase_2(rows: Rows) -> Rows:
    """The origin of December 2025: no document models, one floor a complexity, one buffer."""
    kept = [
        row
        for row in rows
        if not (row["kind"] == "base_budget" and "category" in row)
        and not (row["kind"] == "budget_buffer" and row["name"] != "always")
    ]
    return set_value(kept, 0, kind="constant", name="documentation_models")


def head(rows: Rows) -> Rows:
    """The origin's last state: the packaged rules with its two-fold lowered overheads."""
    for category, complexity, value in (
        ("implementation", "low", 634),
        ("implementation", "medium", 1176),
        ("testing", "low", 915),
    ):
        rows = set_value(
            rows, value, kind="phase_overhead", category=category, complexity=complexity
        )
    return rows


def set_value(rows: Rows, value: float, **keys: str) -> Rows:
    """The rows with another value in the one row that has these keys."""
    found = [row for row in rows if all(row.get(key) == text for key, text in keys.items())]
    assert len(found) == 1, keys
    found[0]["value"] = value
    return rows


def still(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without those that move budgets by what was seen since the table was made."""
    return [row for row in rows if not str(row.get("name")).startswith(("online_", "so_far_"))]


def so_far_quantile(rate: float, name: str, class_: int, ln_factor: float) -> dict[str, Any]:
    """A row of what the next call needs above what is known."""
    return {
        "kind": "so_far_quantile", "name": name, "labels": {}, "position": class_,
        "max_truncation": rate, "label": "identified", "value": ln_factor, "n": 40,
    }  # fmt: skip


def learned(rate: float) -> list[dict[str, Any]]:
    """A table that knows the category chat and the model m, of all calls the median 100."""
    known = {"category": "chat"}
    return [
        *({"kind": "constant", "name": name, "value": value} for name, value in SO_FAR.items()),
        {"kind": "median", "labels": {}, "value": 100, "n": 50},
        {"kind": "median", "labels": known, "value": 200, "n": 50},
        {"kind": "so_far", "labels": known, "value": 0.5, "n": 40},
        {"kind": "so_far", "labels": {}, "model": "m", "value": 0.1, "n": 40},
        *(so_far_quantile(rate, "label", class_, 2 - 0.1 * class_) for class_ in range(7)),
        *(so_far_quantile(rate, "model", class_, 1 - 0.1 * class_) for class_ in range(7)),
        budget(rate, 600, n=50),
        budget(rate, 900, n=30, confidence=0.6, category="chat"),
        budget(rate, 1000, n=10, confidence=0.5, category="chat", model="m"),
    ]


def one_budget(folder: Path, tokens: int) -> Path:
    """A table with one budget."""
    rows = [budget(0.02, tokens, n=60, confidence=0.5, method="budget_blend")]
    return write(folder, lambda packaged: still(packaged) + rows, f"table-{tokens}.ndjson")
