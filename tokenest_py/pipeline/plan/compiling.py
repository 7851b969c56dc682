"""Has dbt compile the project to a plan. A program of its own: it alone imports dbt.

    python -m tokenest_py.pipeline.plan.compiling PROJECT CHECKSUM VARS FILE

What a macro asks of the database, dbt would answer while it compiles. Here each such macro has a
stand-in (standins.py).
"""

from __future__ import annotations

import contextlib
import gc
import json
import re
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import duckdb
from dbt.adapters.factory import get_adapter
from dbt.cli.flags import Flags
from dbt.cli.main import dbtRunner
from dbt.cli.types import Command
from dbt.clients.jinja import add_rendered_test_kwargs, get_rendered
from dbt.config.runtime import RuntimeConfig
from dbt.context.providers import generate_runtime_model_context
from dbt.flags import set_flags
from dbt.graph.graph import UniqueId
from dbt.task.build import BuildTask
from dbt_common.clients.jinja import get_template, render_template
from dbt_common.exceptions import DbtRuntimeError

from tokenest_py.errors import BuildError, TokenestError
from tokenest_py.pipeline.plan.figures import Figure
from tokenest_py.pipeline.plan.plan import Landing, Plan, Sql, Step
from tokenest_py.pipeline.plan.run import passes
from tokenest_py.pipeline.plan.session import literal
from tokenest_py.pipeline.plan.standins import PATH, PATHS, Stand, here
from tokenest_py.pipeline.plan.store import versions
from tokenest_py.pipeline.plan.tables import make_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dbt.adapters.duckdb.credentials import DuckDBCredentials
    from dbt.contracts.graph.manifest import Manifest

__all__ = ["compile_plan", "settled"]

Node = Any  # of dbt: a seed, a model or a test
_KINDS = {"seed", "model", "test"}
# The var that adds what a build leaves out, and the schema of that: a back-test runs it.
_APART = "backtest"


def compile_plan(project: Path, checksum: str, variables: Mapping[str, object]) -> Plan:
    """Return the plan of a project; the working directory takes dbt's own files.

    Raises:
        BuildError: dbt cannot parse it, or a var is wrong.
    """
    try:
        return _compiled(project, checksum, variables)
    except DbtRuntimeError as error:
        raise BuildError(_first_sentence(str(error))) from error


def _compiled(project: Path, checksum: str, variables: Mapping[str, object]) -> Plan:
    places = {
        "project_dir": str(project), "profiles_dir": str(project),
        "vars": {**variables, _APART: True},
        "target_path": str(Path.cwd() / "target"), "log_path": str(Path.cwd() / "logs"),
        "log_level": "none", "log_level_file": "none",
    }  # fmt: skip
    words = [f"--{name.replace('_', '-')}" for name in places]
    texts = [value if isinstance(value, str) else json.dumps(value) for value in places.values()]
    parsed = dbtRunner().invoke(
        ["--no-write-json", "parse", *chain.from_iterable(zip(words, texts, strict=True))]
    )
    if parsed.exception is not None:
        raise BuildError(_first_sentence(str(parsed.exception)))
    flags = Flags.from_dict(Command.BUILD, {**places, "exclude_resource_types": ["unit_test"]})
    set_flags(flags)
    config = RuntimeConfig.from_args(flags)
    manifest = cast("Manifest", parsed.result)
    task = BuildTask(flags, config, manifest)
    task.compile_manifest()
    nodes = [node for node in _in_order(task) if node.resource_type in _KINDS]
    compiler = _Compiler(config, manifest, nodes)
    # a macro that knows no stand-in, such as dbt's own date_spine, may count something in SQL
    with get_adapter(config).connection_named("plan"):
        return compiler.plan(checksum)


class _Compiler:
    """The nodes of a build and their texts."""

    def __init__(self, config: RuntimeConfig, manifest: Manifest, nodes: list[Node]) -> None:
        """Take what dbt parsed, and the nodes in the order of a build."""
        self.config = config
        self.manifest = manifest
        self.apart = [node for node in nodes if _is_apart(node, manifest)]
        self.nodes = [node for node in nodes if not _is_apart(node, manifest)]
        self.models = {node.unique_id: node for node in nodes if node.resource_type == "model"}

    def plan(self, checksum: str) -> Plan:
        """All of it."""
        self.macro("check_vars()")
        looked_at: set[str] = set()
        figures = self._leave_open(looked_at)
        steps, apart = (tuple(map(self.step, nodes)) for nodes in (self.nodes, self.apart))
        settings = dict(cast("DuckDBCredentials", self.config.credentials).settings or {})
        settings.pop("memory_limit", None)  # the settings of each run say that
        schemas = {node.schema for node in self.nodes if node.resource_type != "test"}
        return Plan(
            checksum=checksum, made_by=versions(), settings=settings, rules=self.rules(),
            schemas=tuple(sorted(schemas)),
            sources=tuple(self.macro("var('sources') | join(',')").split(",")),
            variables=tuple(self.macro("known_vars() | join(',')").split(",")),
            unknown=self.macro("unknown_var('@name@')"), set_aside=self.set_aside(),
            final=self.macro("var('final') | lower"),
            added_columns=json.loads(self.macro("tojson(columns_of_places())")),
            packed_lines=self.macro(f"duckdb__split_packed_file('{PATH}')"),
            packed_heads=self.macro(f"duckdb__packed_heads('{PATH}')"),
            export=self.export(), steps=settled(steps), apart=apart,
            # last: all else has been rendered
            figures={name: rule for name, rule in figures.items() if name not in looked_at},
        )  # fmt: skip

    def _leave_open(self, looked_at: set[str]) -> dict[str, Any]:
        """Have numbers and flags render as words; return what each of them has to be."""
        rules: dict[str, Any] = json.loads(self.macro("tojson(figure_rules())"))
        for name, rule in rules.items():
            self.config.cli_vars[name] = Figure(name, rule.pop("value"), looked_at)
        return rules

    def step(self, node: Node) -> Step:
        """The step of a node."""
        kinds = {"seed": self._seed, "test": self._test, "model": self._model}
        return kinds[node.resource_type](node)

    def rules(self) -> str:
        """What rows depend on, as dbt has it, which does not know of what stands apart."""
        node = next(iter(self.models.values()))
        context = self._stand(node).context
        apart = {node.unique_id for node in self.apart}
        nodes = {name: at for name, at in context["graph"]["nodes"].items() if name not in apart}
        context["graph"] = {"nodes": nodes}
        return self._render("{{ project_rules() }}", context, node)

    def macro(self, call: str) -> str:
        """What a macro gives that knows no node."""
        node = next(iter(self.models.values()))
        stand = self._stand(node)
        return self._render("{{ " + call + " }}", stand.context, node)

    def set_aside(self) -> str:
        """What is said of a file that is left out."""
        said: list[str] = []
        node = next(iter(self.models.values()))
        context = generate_runtime_model_context(node, self.config, self.manifest)
        context["exceptions"] = SimpleNamespace(warn=said.append)
        self._render("{% do set_aside('" + PATH + "', '@reason@') %}", context, node)
        return said[0]

    def export(self) -> str:
        """The statement that writes the exported file; nothing where nothing is exported."""
        found: list[str] = []
        node = next(iter(self.models.values()))
        context = generate_runtime_model_context(node, self.config, self.manifest)
        context["flags"] = SimpleNamespace(WHICH="build")
        context["results"] = [SimpleNamespace(node=n, status="success") for n in self.nodes]
        context["run_query"] = found.append
        context["log"] = lambda *_args, **_options: ""
        for hook in self.config.on_run_end:
            self._render(hook, context, node)
        return here(found[0]) if found else ""

    def _stand(self, node: Node) -> Stand:
        return Stand(node, generate_runtime_model_context(node, self.config, self.manifest))

    def _render(self, text: str, context: dict[str, Any], node: Node) -> str:
        return here(str(get_rendered(text, context, node)))

    def _seed(self, node: Node) -> Step:
        """The rows as DuckDB reads them, by the types that dbt gives the columns."""
        context = generate_runtime_model_context(node, self.config, self.manifest)
        table, said = context["load_agate_table"](), node.config.column_types
        columns = tuple(
            (name, said.get(name) or context["adapter"].convert_type(table, number))
            for number, name in enumerate(table.column_names)
        )
        path = str(Path(node.root_path, node.original_file_path))
        with duckdb.connect() as connection:
            typed = ", ".join(f'"{name}" {kind}' for name, kind in columns)
            connection.execute(f"create table seed ({typed})")
            connection.execute("copy seed from $path (format csv, header true)", {"path": path})
            rows = connection.execute("select * from seed").fetchall()
        names = [name for name, _ in columns]
        records = json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=str)
        # a list of values of this length takes DuckDB longer than JSON
        sql = f"from_json({literal(records)}, {literal(json.dumps([dict(columns)]))})"
        return Step(
            kind="seed", id=node.unique_id, name=node.name, relation=_relation(node),
            sql=f"select unnest({sql}, recursive := true)", columns=columns,
        )  # fmt: skip

    def _test(self, node: Node) -> Step:
        context = generate_runtime_model_context(node, self.config, self.manifest)
        if hasattr(node, "test_metadata"):
            add_rendered_test_kwargs(context, node)
        about = " ".join((node.description or "").split()).rstrip(".")
        set_up = node.config
        return Step(
            kind="test", id=node.unique_id, name=node.name,
            sql=self._render(node.raw_code, context, node),
            needs=tuple(node.depends_on.nodes), about=about, severity=set_up.severity.lower(),
            fail_calc=set_up.fail_calc, warn_if=set_up.warn_if, error_if=set_up.error_if,
        )  # fmt: skip

    def _model(self, node: Node) -> Step:
        stand = self._stand(node)
        key = node.config.unique_key or ()
        relation = _relation(node)

        def rendered(text: str) -> Sql:
            template = get_template(text, stand.context, node)
            return stand.explore(lambda: here(render_template(template, stand.context, node)))

        sql = rendered(node.raw_code)
        pre_hooks = tuple(rendered(hook.sql) for hook in node.config.pre_hook)
        for hook in node.config.post_hook:
            if rendered(hook.sql):
                raise BuildError(f"{node.name}: no plan can hold the hook {hook.sql}")
        return Step(
            kind="model", id=node.unique_id, name=node.name, relation=relation, sql=sql,
            needs=tuple(node.depends_on.nodes),
            columns=_contract(node), never_null=_never_null(node),
            materialized=node.config.materialized,
            unique_key=(key,) if isinstance(key, str) else tuple(key),
            pre_hooks=tuple(hook for hook in pre_hooks if hook),
            follows=tuple(dict.fromkeys(self._followed(node))), remembers=stand.remembers,
            landing=self._landing(stand.source, rendered) if stand.source else None,
            recognises=stand.own_text("unrecognised_files", stand.listing),
            unread=stand.own_text("unread_files", stand.unread),
            parts=rendered("{{ parts_to_build" + str(stand.parts) + " }}") if stand.parts else "",
        )  # fmt: skip

    def _landing(self, source: str, rendered: Callable[[str], Sql]) -> Landing:
        of = f"ref('base_telemetry__files'), '{source}'"
        return Landing(
            source,
            rendered("{{ files_to_compare(" + of + ") }}"),
            rendered("{{ contents_of_files(" + of + f", {PATHS}" + ") }}"),
            rendered("{{ places_of(this, '" + source + "') }}"),
        )

    def _followed(self, node: Node) -> Iterator[str]:
        """The models with a key that follow, and that a model is built from; also behind views."""
        for name in node.depends_on.nodes:
            parent = self.models.get(name)
            if parent is None:
                continue
            if parent.config.materialized == "view":
                yield from self._followed(parent)
            elif parent.config.materialized == "incremental" and parent.config.unique_key:
                yield _relation(parent)


def settled(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Try the tests of seeds alone, or of nothing: a build need not repeat those that pass."""
    seeds = [step for step in steps if step.kind == "seed"]
    known = {step.id for step in seeds}
    with duckdb.connect() as connection:
        for schema in {step.relation.partition(".")[0] for step in seeds}:
            connection.execute(f"create schema if not exists {schema}")
        for step in seeds:
            make_seed(step, connection)

        def passed(step: Step) -> bool:
            if step.kind != "test" or not known.issuperset(step.needs):
                return False
            with contextlib.suppress(BuildError):  # a figure that a run fills in is no SQL yet
                return passes(step, connection)
            return False

        return tuple(replace(step, is_settled=passed(step)) for step in steps)


def _is_apart(node: Node, manifest: Manifest) -> bool:
    """A model of the schema that stands apart, or a test of one."""
    needed = getattr(node.depends_on, "nodes", ())  # a seed has none
    nodes = map(manifest.nodes.get, (node.unique_id, *needed))
    return any(found.schema == _APART for found in nodes if found is not None)


def _first_sentence(text: str) -> str:
    """Dbt's message without its frame: the line that says what happened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not re.match(r"(Compilation|Runtime|Database) Error", line)]
    return lines[0] if lines else text.strip()


def _relation(node: Node) -> str:
    return f"{node.schema}.{node.alias}"


def _contract(node: Node) -> tuple[tuple[str, str], ...]:
    """The columns of an enforced contract with the types as DuckDB writes them."""
    if not node.config.contract.enforced or not node.columns:
        return ()
    columns = [(column.name, column.data_type) for column in node.columns.values()]
    casts = ", ".join(f'cast(null as {kind}) as "{name}"' for name, kind in columns)
    described = duckdb.execute(f"describe select {casts}").fetchall()
    return tuple((name, kind) for name, kind, *_ in described)


def _never_null(node: Node) -> tuple[str, ...]:
    """The columns that an enforced contract says hold no null."""
    if not node.config.contract.enforced:
        return ()
    return tuple(
        column.name
        for column in node.columns.values()
        if any(constraint.type == "not_null" for constraint in column.constraints)
    )


def _in_order(task: BuildTask) -> Iterator[Node]:
    """The nodes as dbt builds them, one after another."""
    queue = task.get_graph_queue()
    while not queue.empty():
        node = queue.get()
        yield node
        queue.mark_done(UniqueId(node.unique_id))


if __name__ == "__main__":
    gc.disable()  # what dbt makes lives as long as this process; to look through it takes an eighth
    try:
        compile_plan(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])).write(
            Path(sys.argv[4])
        )
    except TokenestError as error:
        sys.exit(str(error))
