"""How the table of a model is made: as a whole, or following what landed, as dbt does it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from tokenest_py.errors import BuildError
from tokenest_py.pipeline.plan.session import literal

if TYPE_CHECKING:
    import duckdb

    from tokenest_py.pipeline.plan.plan import Plan, Step
    from tokenest_py.pipeline.plan.session import Session

__all__ = ["Tables", "make_seed"]

_KNOWN = """
select schema_name || '.' || table_name, 'table', comment
from duckdb_tables()
where database_name = current_database()
union all
select schema_name || '.' || view_name, 'view', null
from duckdb_views()
where database_name = current_database() and not internal
"""
# What a landing notes of a file stands on its last line.
_OF_A_PART = """
select
    lines.* replace (
        part.source_file as source_file,
        lines.line_no + part.lines as line_no,
        case when part.is_last and lines.file_bytes is not null then part.file_bytes end
            as file_bytes,
        case when part.is_last and lines.file_bytes is not null then part.modified_at end
            as modified_at,
        case when part.is_last then lines.first_line_md5 end as first_line_md5,
        case when part.is_last then lines.has_open_tail end as has_open_tail,
        case when part.is_last and lines.file_bytes is not null then part.file_path end
            as file_path,
        case when part.is_last and lines.file_bytes is not null then part.landed_bytes end
            as landed_bytes,
        case when part.is_last and lines.file_bytes is not null then part.landed_md5 end
            as landed_md5
    )
from (
    {sql}
) as lines
cross join temp.part
"""
_COMMENT = re.compile(r"rules ([a-z0-9]+), landings to ([0-9]+)")


class Tables:
    """The tables of the database, and how far each has come."""

    def __init__(self, session: Session, plan: Plan, invocation: str, *, anew: bool) -> None:
        """Look at what is there.

        Args:
            session: Where they are.
            plan: What they are to be.
            invocation: A word for this run, in the marks of where landing began.
            anew: Forget what landed, and build everything as a whole.
        """
        self._session = session
        self._plan = plan
        self._invocation = invocation
        self._anew = anew
        found = session.connection.execute(_KNOWN).fetchall()
        self._kinds = {name: kind for name, kind, _ in found}
        self._comments = {name: comment for name, _, comment in found if comment}
        self._landings = [step.relation for step in plan.steps if step.landing]
        steps = [step for step in plan.steps if step.kind == "model"]
        # a build of dbt that stopped midway: what follows would look for tables that are missing
        self._is_complete = all(step.relation in self._kinds for step in steps)
        landed = [name for name in self._landings if name in self._kinds]
        self._newest = {name: self._newest_landing(name) for name in landed}
        self._last_landing = max(self._newest.values(), default=0)
        for schema in plan.schemas:
            session.connection.execute(f"create schema if not exists {schema}")
        for name in self._landings:
            for column, kind in plan.added_columns.items() if name in self._kinds else ():
                session.connection.execute(
                    f"alter table {name} add column if not exists {column} {kind}"
                )

    def landed_places(self) -> None:
        """Fill in which source has landed which contents, and where they are."""
        session = self._session
        session.insert("landed_places", ())
        for step in self._plan.steps:
            if step.landing and self._newest.get(step.relation) and not self._anew:
                places = session.decided(step.landing.places, {})
                session.connection.execute(f"insert into temp.landed_places {places}")

    def is_following(self, step: Step) -> bool:
        """Whether the table takes up what landed, and is not built as a whole."""
        if step.materialized != "incremental" or self._anew:
            return False
        if self._kinds.get(step.relation) != "table":
            return False
        if not step.unique_key:
            return True
        return self._is_complete and self._state(step.relation)[0] == self._rules()

    def words(self, step: Step) -> dict[str, str]:
        """The words of the SQL that depend on how far landing has come."""
        return {
            "@landed_before@": str(self._state(step.relation)[1]),
            "@landing_no@": str(self._last_landing + 1),
        }

    def key(self, step: Step) -> str:
        """How the table was made, by its comment; "" where it is to be made anew in any case."""
        return "" if self._anew else str(self._comments.get(step.relation, ""))

    def mark(self, step: Step, key: str) -> None:
        """Note how the table was made."""
        self._say(step.relation, key)

    def content(self, step: Step) -> str:
        """The same for the same rows."""
        found = self._session.connection.execute(
            f"select count(*), bit_xor(hash(t)) from {step.relation} as t"
        ).fetchone()
        return str(found)

    def seed(self, step: Step) -> None:
        """Make the table of a seed."""
        self._make_room(step.relation, "table")
        make_seed(step, self._session.connection)

    def build(self, step: Step, sql: str, *, follows: bool) -> None:
        """Make the table or the view of a model."""
        if follows:
            self.follow(step, sql)
        elif step.materialized == "view":
            self._make_room(step.relation, "view")
            self._session.run(f"create or replace view {step.relation} as (\n{sql}\n)")
            self._check_contract(step)
        else:
            self._whole(step, sql)
        if step.landing:
            self._note_landing(step.relation)

    def follow(self, step: Step, sql: str) -> None:
        """Take rows up into a table that is there."""
        run = self._session.run
        run(f"create or replace temp table newest as (\n{sql}\n)")
        present = dict(self._described(f"select * from {step.relation}"))
        for name, kind in self._described("select * from temp.newest"):
            if name not in present:  # made by an older version: null for what it landed
                run(f'alter table {step.relation} add column "{name}" {kind}')
        if run("select 1 from temp.newest limit 1").fetchone() is None:
            return
        if step.unique_key:
            key = ", ".join(step.unique_key)
            run(
                f"delete from {step.relation} where ({key}) in"
                f" (select distinct {key} from temp.newest)"
            )
        run(f"insert into {step.relation} by name select * from temp.newest")

    def add_part(self, step: Step, sql: str) -> None:
        """Add the lines of a part of a file, as if the file had been read at once."""
        self.follow(step, _OF_A_PART.format(sql=sql))
        self._note_landing(step.relation)

    def landing(self, step: Step, *, follows: bool) -> str:
        """Note where landing began; the same text for the same lines."""
        if not follows:
            self._say(step.relation, f"landing began with {self._invocation}")
        return f"{self._comments.get(step.relation)}, {self._newest[step.relation]}"

    def state(self, step: Step) -> str:
        """The rules of the table, and how far it has come: as far as what it is made of."""
        rules, landings = self._rules(), self._last_landing
        for parent in step.follows:
            parent_rules, parent_landings = self._state(parent)
            if parent_rules != self._rules():
                rules = "outdated"
            landings = min(landings, parent_landings)
        return f"rules {rules}, landings to {landings}"

    def _whole(self, step: Step, sql: str) -> None:
        self._make_room(step.relation, "table")
        self._session.run(f"create or replace table {step.relation} as (\n{sql}\n)")
        self._check_contract(step)
        for column in step.never_null:
            self._session.run(f'alter table {step.relation} alter column "{column}" set not null')

    def _check_contract(self, step: Step) -> None:
        """Raise where the model gives other columns than its contract says."""
        if not step.columns:
            return
        found = self._described(f"select * from {step.relation}")
        if found == list(step.columns):
            return
        wanted, given = dict(step.columns), dict(found)
        wrong = [
            f"{name} is {given.get(name, 'missing')}, and not {wanted.get(name, 'known')}"
            for name in sorted(wanted.keys() | given.keys())
            if wanted.get(name) != given.get(name)
        ]
        if wrong:
            what = "; ".join(wrong)
            raise BuildError(f"This model has an enforced contract that failed: {what}")
        if self._kinds[step.relation] == "table":  # in the order of the contract
            names = ", ".join(f'"{name}"' for name in wanted)
            self._session.run(
                f"create or replace table {step.relation} as select {names} from {step.relation}"
            )

    def _described(self, sql: str) -> list[tuple[str, str]]:
        return [row[:2] for row in self._session.run(f"describe {sql}").fetchall()]

    def _make_room(self, relation: str, kind: str) -> None:
        """A table of the name is no view, and a view no table."""
        before = self._kinds.get(relation)
        if before and before != kind:
            self._session.connection.execute(f"drop {before} {relation}")
        self._kinds[relation] = kind
        self._comments.pop(relation, None)

    def _say(self, relation: str, comment: str) -> None:
        self._session.connection.execute(f"comment on table {relation} is {literal(comment)}")
        self._comments[relation] = comment

    def _state(self, relation: str) -> tuple[str, int]:
        """The rules of a table, and the last landing that it has taken up."""
        found = _COMMENT.match(self._comments.get(relation, ""))
        return (found[1], int(found[2])) if found else ("none", 0)

    def _rules(self) -> str:
        """What rows depend on beside the lines: the project, and where landing began."""
        began = [self._comments.get(name, "") for name in self._landings if name in self._kinds]
        return hashlib.md5("|".join([self._plan.rules, *began]).encode()).hexdigest()

    def _note_landing(self, relation: str) -> None:
        self._newest[relation] = self._newest_landing(relation)
        self._last_landing = max(self._last_landing, self._newest[relation])

    def _newest_landing(self, relation: str) -> int:
        found = self._session.connection.execute(
            f"select coalesce(max(landing_no), 0) from {relation} where file_bytes is not null"
        ).fetchone()
        return int(found[0]) if found else 0


def make_seed(step: Step, connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of a seed, in a schema that is there."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in step.columns)
    connection.execute(f"create or replace table {step.relation} ({columns})")
    if step.sql:
        connection.execute(f"insert into {step.relation} {step.sql}")
