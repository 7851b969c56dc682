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
