"""The plan gives what `dbt build` gives: every table, build by build, over random histories."""

from __future__ import annotations

import gzip
import json
import os
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from dbt_project import Project, line, plan_of
from planned import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

CATEGORIES = ("implementation", "docs", "testing", "review")
CHANGED = {"stub_max_tokens": 900}


@dataclass
class History:
    """Files that grow from build to build."""

    draw: random.Random
    contents: dict[str, bytes] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def event(self) -> bytes:
        """A call: new, late, cut off, of no run, of no name, or known to another file."""
        number = len(self.events)
        fields: dict[str, Any] = {
            "event_id": f"e-{number}",
            "run_id": self.draw.choice(["run-1", "run-2", "unknown", f"run-{number % 30}"]),
            "phase_id": f"p-{self.draw.randrange(12)}",
            "category": self.draw.choice(CATEGORIES),
            "occurred_at": f"2026-0{self.draw.randrange(1, 6)}-02T03:{number % 60:02}:00Z",
            "actual_output_tokens": self.draw.randrange(1, 5000),
            "stop_reason": self.draw.choice(["end_turn", "end_turn", "max_tokens", "odd"]),
            "deliverables": [f"src/file_{self.draw.randrange(9)}.py"],
            "response_id": self.draw.choice([None, f"r-{number % 7}"]),
        }
        if self.draw.random() < 0.1:
            fields["event_id"] = None
        self.events.append(fields)
        return line(**fields)

    def again(self) -> bytes:
        """A line that came before, as it was or with other content."""
        fields = dict(self.draw.choice(self.events))
        if self.draw.random() < 0.5:
            fields["actual_output_tokens"] = 7
            fields["phase_id"] = f"p-{self.draw.randrange(12)}"
        return line(**fields)

    def bad(self) -> bytes:
        """A line that is no call."""
        return self.draw.choice(
            [b"{not json\n", b"\n", b"\xff\xfe\n", line(actual_output_tokens=-1), b'{"a": 1}\n']
        )

    def exported(self) -> bytes:
        """A row of the origin's export."""
        second = self.draw.randrange(60)
        record = {
            "run_id": "sprint", "phase_id": f"p-{second % 5}",
            "timestamp": f"2026-01-03T04:05:{second:02}", "predicted_output_tokens": 900,
            "actual_output_tokens": 700 + second,
        }  # fmt: skip
        return json.dumps(record).encode() + b"\n"

    def grow(self, step: int) -> None:
        """What another while of writing leaves behind."""
        for name in ("a.ndjson", "m.ndjson", f"z{step}.ndjson"):
            content = self.contents.get(name, b"")
            if content and not content.endswith(b"\n"):  # the torn tail is completed
                content += line(event_id=f"tail-{step}")[25:]
            kinds = [self.event] * 8 + [self.again] * 3 + [self.bad]
            content += self.event()
            content += b"".join(self.draw.choice(kinds)() for _ in range(self.draw.randrange(20)))
            if self.draw.random() < 0.6:
                content += line(event_id=f"tail-{step + 1}")[:25]
            self.contents[name] = content
        self.contents[f"o{step}.ndjson"] = b"".join(self.exported() for _ in range(4))
        if step == 1:  # a file that was cut off is read anew
            self.contents["o0.ndjson"] = self.contents["o0.ndjson"][:-30]
            self.contents[os.fsdecode(b"odd-\xff.ndjson")] = self.event()  # it is set aside
        self.turn(step)

    def turn(self, step: int) -> None:
        """What turns files over: copied and cut off, packed, edited in place, emptied."""
        first, rest = b"".join(self.event() for _ in range(2)), self.event() + self.event()
        kept = self.contents.get("log.ndjson", first)
        begins = kept[: kept.find(b"\n") + 1]
        if step == 0:
            self.contents |= {"log.ndjson": first + rest, "edited.ndjson": rest + self.event()}
            self.contents["emptied.ndjson"] = begins
            self.contents["headed.ndjson"] = b"starting\n\n"
        elif step == 1:
            self.contents |= {"log.1.ndjson": kept + rest, "log.ndjson": begins + 4 * first}
            edited = self.contents["edited.ndjson"]
            self.contents["edited.ndjson"] = edited.replace(b'"e-', b'"x-', 1)
            self.contents["emptied.ndjson"] = b'{"half'
            self.contents["headed.ndjson"] += self.exported()  # so it is the origin's
        else:
            packed = gzip.compress(self.contents.pop("log.1.ndjson"), mtime=0)
            self.contents |= {"log.1.ndjson.gz": packed, "emptied.ndjson": first}


def differences(project: Project) -> dict[str, object]:
    """The tables of which dbt and the plan have other columns or rows."""
    different: dict[str, object] = {}
    with duckdb.connect() as connection:
        connection.execute(f"attach '{project.database}' as by_dbt (read_only)")
        connection.execute(f"attach '{project.folder / 'plan.duckdb'}' as by_plan (read_only)")
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where database_name = 'by_dbt' order by 1"
        ).fetchall()
        assert len(tables) > 80
        for (table,) in tables:
            described = [
                connection.execute(f"describe {name}.{table}").fetchall()
                for name in ("by_dbt", "by_plan")
            ]
            # a sum of doubles depends on the order of its rows in the last digit
            columns = ", ".join(
                f"round({column}, 9)" if kind == "DOUBLE" else column
                for column, kind, *_ in described[0]
            )
            query = "select {0} from {1}.{3} except all select {0} from {2}.{3}"
            rows = [
                connection.execute(query.format(columns, *pair, table)).fetchall()
                for pair in (("by_dbt", "by_plan"), ("by_plan", "by_dbt"))
            ]
            if described[0] != described[1] or rows != [[], []]:
                different[table] = rows
    return different


@pytest.mark.parametrize("seed", [1])
def test_every_table_is_equal_build_by_build(tmp_path: Path, seed: int) -> None:
    """Two builds that follow, and one with another var, which builds what follows anew."""
    project = Project(tmp_path)
    history = History(random.Random(seed))
    for step, variables in enumerate(({}, {}, CHANGED)):
        history.grow(step)
        for name, content in history.contents.items():
            path = project.telemetry(name)
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)
                os.utime(path, (1_700_000_000 + step,) * 2)
        for path in (tmp_path / "telemetry").iterdir():
            if path.name not in history.contents:
                path.unlink()
        given = ["--vars", json.dumps(variables)] if variables else []
        # tables are compared: what only reads them is left out, and so are the tests
        given += ["--exclude-resource-type", "test", "--exclude", "path:models/report"]
        said = project.dbt_build(*given, telemetry="telemetry/**/*.ndjson*")
        outcome = run(project, plan_of(variables))
        assert differences(project) == {}, step
        assert ("was set aside" in said) == outcome.has_left_out == (step > 0)
    how_far = (
        "select schema_name, table_name, regexp_extract(comment, 'landings to [0-9]+')"
        " from duckdb_tables() where comment like 'rules%' order by all"
    )
    with duckdb.connect(str(tmp_path / "plan.duckdb"), read_only=True) as connection:
        found = connection.execute(how_far).fetchall()
    assert found == project.rows(how_far)
    states = {state for (state,) in project.rows("select distinct state from marts.files")}
    assert states >= {"landed", "rotated", "rewritten", "growing"}
    assert len(found) > 20
