"""What dbt compiled, in the order of its build: the steps, and what each of them asks first.

The SQL of a model may depend on what is in the database: a question has a branch for each answer.
What is known when a step runs, and no sooner, stands in the SQL as a word between two `@`; a part
that adds the rows of a table, between marks with its name (OF_A_TABLE).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.plan.figures import filled_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

__all__ = [
    "FILES", "FOLLOWING", "LARGE", "OF_A_TABLE", "READERS", "Landing", "Plan", "Sql", "Step",
]  # fmt: skip

FOLLOWING = "following"  # question: the table takes up what landed, and is not built as a whole
FILES = "files"  # question: files of the source have lines that have not landed
LARGE = "large"  # question: these files are worth a reader a thread
READERS = 8  # how many threads may read files at once
OF_A_TABLE = "@of {}@{}@end@"  # a table, and a part that is left out where it holds no row

# A text, or a question with its two branches: {"ask": ..., "yes": ..., "no": ...}.
Sql = Any


@dataclass(frozen=True, slots=True)
class Landing:
    """How a source lands: files to compare with what has landed, contents to land, what landed."""

    source: str
    compared: Sql
    contents: Sql
    places: Sql


@dataclass(frozen=True, slots=True)
class Step:
    """A seed, a model or a data test."""

    kind: str
    id: str
    name: str
    relation: str = ""
    sql: Sql = ""
    needs: tuple[str, ...] = ()
    # name and type: all of a seed, those of a model's enforced contract
    columns: tuple[tuple[str, str], ...] = ()
    never_null: tuple[str, ...] = ()  # columns of that contract
    # models
    materialized: str = ""
    unique_key: tuple[str, ...] = ()
    pre_hooks: tuple[Sql, ...] = ()
    follows: tuple[str, ...] = ()
    remembers: bool = False
    landing: Landing | None = None
    recognises: str = ""
    unread: str = ""
    parts: Sql = ""  # query: the numbers of the parts that the table is made in
    # tests
    about: str = ""
    severity: str = ""
    fail_calc: str = ""
    warn_if: str = ""
    error_if: str = ""
    is_settled: bool = False  # it looks at no model, the rows of seeds are in the plan, and passed


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps, and what holds for all of them.

    Attributes:
        figures: What each var has to be that a run may fill in (figures.py).
        variables: The names of all vars.
        unknown: What is said of a var that is none of them.
        final: "true" where nothing is added to files any more, by the var of that name.
        steps: Of a build.
        apart: What a build leaves out: a back-test runs it by its name.
    """

    checksum: str
    made_by: Mapping[str, str]
    settings: Mapping[str, str]
    rules: str
    figures: Mapping[str, Mapping[str, Any]]
    variables: tuple[str, ...]
    unknown: str
    schemas: tuple[str, ...]
    sources: tuple[str, ...]
    set_aside: str
    final: str
    added_columns: Mapping[str, str]
    packed_lines: str
    packed_heads: str
    export: str
    steps: tuple[Step, ...] = field(repr=False)
    apart: tuple[Step, ...] = field(repr=False)

    def leading_to(self, names: Collection[str]) -> Plan:
        """The part that makes these models: what they are made of, no test, no export."""
        needed: set[str] = set()
        for step in reversed(self.steps):
            if step.kind != "test" and (step.name in names or step.id in needed):
                needed |= {step.id, *step.needs}
        steps = tuple(step for step in self.steps if step.id in needed)
        return replace(self, steps=steps, apart=(), export="")

    def only(self, names: Collection[str], *, exports: bool = False) -> Plan:
        """These models, and the tests that look at nothing else."""
        every = (*self.steps, *self.apart)
        models = {step.id for step in every if step.kind == "model" and step.name in names}
        steps = tuple(
            step
            for step in every
            if step.id in models or (step.kind == "test" and models.issuperset(step.needs))
        )
        return replace(self, steps=steps, apart=(), export=self.export if exports else "")

    def write(self, path: Path) -> None:
        """Write the plan, as a whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(asdict(self), separators=(",", ":")), encoding="utf-8")
        scratch.replace(path)

    @classmethod
    def read(
        cls, path: Path, words: Mapping[str, str], figures: Mapping[str, float] | None = None
    ) -> Plan:
        """Return the plan in a file, these words of it replaced and these figures filled in.

        Raises OSError or ValueError where there is none.
        """
        text = filled_in(path.read_text(encoding="utf-8"), figures or {})
        for word, value in words.items():
            text = text.replace(word, value)
        found = json.loads(text)
        try:
            steps, apart = (tuple(map(_step, found.pop(name))) for name in ("steps", "apart"))
            found["rules"] = " ".join([found["rules"], *words.values()])
            return cls(**found, steps=steps, apart=apart)
        except (KeyError, TypeError) as error:  # of another version
            raise ValueError(f"it lacks {error}") from error


def _step(found: dict[str, Any]) -> Step:
    landing, columns = found.pop("landing"), found.pop("columns")
    return Step(
        **found,
        columns=tuple(map(tuple, columns)),
        landing=Landing(**landing) if landing else None,
    )
