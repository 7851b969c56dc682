"""What stands in the place of a macro that asks something of the database, or of the moment.

A question becomes a branch of the plan, a list of files a temporary table that the run fills, a
number or a time a word that the run replaces.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from dbt_common.exceptions import CompilationError

from tokenest_py.pipeline.plan.plan import FILES, FOLLOWING, LARGE, OF_A_TABLE, READERS, Sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["GLOB", "PACKED", "PATH", "PATHS", "Stand", "here"]

Node = Any  # of dbt: a seed, a model or a test
Method = TypeVar("Method", bound="Callable[..., object]")
PATH, GLOB, PACKED = "@path@", "@glob@", "@packed@"
PATHS = [*(f"@paths_{reader}@" for reader in range(READERS)), PACKED]
_STANDINS: list[str] = []


def here(sql: str) -> str:
    """SQL names the database that dbt compiled in; a plan runs in any."""
    return sql.replace('"plan".', "").strip()


def _standin(method: Method) -> Method:
    """The method is called in the place of the macro of its name."""
    _STANDINS.append(method.__name__)
    return method


class _Questions:
    """What the macros of a node ask of the database, and the text for each course of answers."""

    def __init__(self) -> None:
        self.answers: dict[str, bool] = {}
        self.undecided = ""

    def ask(self, question: str) -> bool:
        """The answer, or an end of this attempt to render."""
        if question not in self.answers:
            self.undecided = question
            raise CompilationError(question)
        return self.answers[question]

    def explore(self, render: Callable[[], str]) -> Sql:
        """The text for each course of answers."""
        before = dict(self.answers)
        self.undecided = ""
        try:
            return render().strip()
        except CompilationError:
            question = self.undecided
            if not question:
                raise
        branches = {}
        for name, answer in (("yes", True), ("no", False)):
            self.answers = {**before, question: answer}
            branches[name] = self.explore(render)
        self.answers = before
        if branches["yes"] == branches["no"]:
            return branches["yes"]
        return {"ask": question, **branches}


class _Macros(_Questions):
    """By the name of the macro, and what was said to them."""

    own: Mapping[str, Callable[..., object]]
    source: str | None = None
    listing: str | None = None
    remembers = False
    parts: tuple[str, str] | None = None
    unread: Any = None

    @_standin
    def has_rows(self, query: str) -> bool:
        return self.ask(" ".join(here(query).split()))

    @_standin
    def unless_empty(self, table: object, rows: str) -> str:
        return OF_A_TABLE.format(here(str(table)), rows)

    @_standin
    def landing_state(self, _relation: object) -> dict[str, str]:
        return {"rules": "", "landings": "@landed_before@"}

    @_standin
    def this_landing_no(self) -> str:
        return "@landing_no@"

    @_standin
    def is_in_the_future(self, occurred_at: str) -> str:
        return f"{occurred_at} > cast('@a_day_ahead@' as timestamp)"

    @_standin
    def load_relation(self, _relation: object) -> bool:
        return True

    @_standin
    def landed_places(self) -> str:
        return "select * from temp.landed_places"

    @_standin
    def said_sources(self) -> str:
        return "select source_file, source_name from temp.said_sources"

    @_standin
    def files_set_aside(self) -> str:
        return "select source_file, reason from temp.files_set_aside"

    @_standin
    def files_to_recognise(self, files: object) -> list[str]:
        self.listing = str(files)
        return list(PATHS)

    @_standin
    def files_to_land(self, source: str) -> list[dict[str, Any]]:
        self.source = source
        if not self.ask(FILES):
            return []
        return [
            {"source_file": "", "file_path": path, "landed_lines": 0, "has_torn_tail": True}
            for path in PATHS
        ]

    @_standin
    def files_as_rows(self, _files: object) -> str:
        return "select * from temp.files_to_land"

    @_standin
    def duckdb__readers(self) -> int:
        return READERS if self.ask(LARGE) else 1

    @_standin
    def duckdb__is_packed(self, path: str) -> bool:
        return path in {PACKED, PATH}

    @_standin
    def duckdb__blobs(self, paths: list[str]) -> str:
        if paths == [PATH]:
            return str(self.own["duckdb__blobs"](paths))
        names = [path.strip("@") for path in paths]
        return f"read_blob({' || '.join(f'getvariable({name!r})' for name in names)})"

    @_standin
    def duckdb__path_read(self, filename: str) -> str:
        return f"coalesce(getvariable('read_for')[{filename}], {filename})"

    @_standin
    def duckdb__literal_path(self, path: str) -> str:
        return GLOB if path == PATH else path

    @_standin
    def duckdb__split_packed_file(self, path: str) -> str:
        own = self.own["duckdb__split_packed_file"]
        return str(own(path)) if path == PATH else "select * from temp.packed_lines"

    @_standin
    def duckdb__packed_heads(self, path: str) -> str:
        own = self.own["duckdb__packed_heads"]
        return str(own(path)) if path == PATH else "select * from temp.packed_heads"

    @_standin
    def and_is_in_part(self, period_kind: str, period: str) -> str:
        self.parts = period_kind, period
        return "and part_no = @part_no@"

    @_standin
    def remember_landing(self) -> str:
        self.remembers = True
        return ""

    @_standin
    def mark_first_landing(self) -> str:
        return ""

    @_standin
    def name_unread_files(self, relation: object) -> str:
        self.unread = relation
        return ""


class Stand(_Macros):
    """The stand-ins of one node, and what they were called with."""

    def __init__(self, node: Node, context: dict[str, Any]) -> None:
        """Put the stand-ins in the place of the macros, for everything that the node calls."""
        super().__init__()
        self.is_incremental = node.config.materialized == "incremental"
        self.own = {name: context[name] for name in _STANDINS if name in context}
        self.context = context
        context["flags"] = SimpleNamespace(WHICH="build", FULL_REFRESH=False)
        for name in _STANDINS:
            context[name] = getattr(self, name)
        context["is_incremental"] = lambda: self.is_incremental and self.ask(FOLLOWING)
        context.pop("run_started_at", None)  # a plan runs at another time than it is compiled

    def own_text(self, macro: str, relation: object) -> str:
        """What a macro of the project says of a relation among the stand-ins."""
        return "" if relation is None else here(str(self.context[macro](relation)))
