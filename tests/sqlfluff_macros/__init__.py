"""What models call, for sqlfluff, which looks at their layout as it is written.

Every macro of the project stands here under its name and gives that name, which is an expression,
or what is in SHORT where the model has room for something else. No macro runs, so that a model is
no longer than its file: a quarter of the time of dbt's own templater.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
QUERY, CTE = "select 1", "{name} as (select 1)"
SHORT = {
    "inlined": "not materialized",
    "ancestor_joins": "cross join quantiles as level_0",
    "top_label": "x",
    **dict.fromkeys(("of_changed_phases", "since_last_landing"), "where true"),
    **dict.fromkeys(
        (
            "and_is_to_build", "and_of_changed_truncated_phases", "and_of_new_ids",
            "further_label_columns", "group_by_columns",
        ),
        "",
    ),
    **dict.fromkeys(
        (
            "judged_truncation", "ranked_values", "stepped_by_size", "stratum_quantiles",
            "twin_spans",
        ),
        CTE,
    ),
    **dict.fromkeys(("batch_calls", "codex_counts", "gemini_cli_messages"), f"{CTE},"),
    **dict.fromkeys(
        (
            "canonical_events", "later_copies", "located_records", "period_scores",
            "relation_calls",
        ),
        "final as (select 1)",
    ),
    **dict.fromkeys(
        (
            "accepted_calls", "coefficient_rows", "file_heads", "files_set_aside", "land",
            "landed_sources", "no_rows", "one_event_a_call", "present_ceilings", "rate_rows",
            "recognised_sources", "repeated_lines", "run_stage", "said_sources", "united",
            "with_switch_on",
        ),
        QUERY,
    ),
}  # fmt: skip


class Short(str):
    """A text that is a macro too, a list of itself alone, and each of its members."""

    __slots__ = ()

    def __call__(self, *_: object, **__: object) -> Short:
        """Take whatever the macro takes."""
        return self

    def __getitem__(self, _: object) -> Short:
        """Be whatever is looked for: an attribute too, as Jinja looks for it."""
        return self

    def __iter__(self) -> Iterator[Short]:
        """Be one value."""
        return iter([self])

    def __add__(self, _: object) -> Short:
        """Be no longer."""
        return self

    def __index__(self) -> int:
        """Be the first number."""
        return 1


VARS = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
for file in (ROOT / "macros").rglob("*.sql"):
    for name in re.findall(r"{%-? macro (\w+)\(", file.read_text(encoding="utf-8")):
        globals()[name] = Short(SHORT.get(name, name).format(name=name))
assert SHORT.keys() <= globals().keys(), "a macro that SHORT names is gone"
dbt = SimpleNamespace(date_spine=Short(QUERY))
flags = SimpleNamespace(WHICH="build")


def var(name: str, default: object = None) -> object:
    """What dbt_project.yml says."""
    return VARS.get(name, default)
