"""The rules of dbt-project-evaluator that this project keeps, on its own manifest.

`make evaluator` runs the package itself, from dbt's hub; docs/decisions/0018 has what it found,
what is set aside, and why. Marts carry plain names: of the naming rule, what remains is that
staging and intermediate models carry their prefix.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbt_project import DBT, ROOT, Project
from tokenest_py.pipeline.calibration.refit import EVENT_TABLES
from tokenest_py.pipeline.report.queries import HEADLINE, SECTIONS

pytestmark = pytest.mark.slow  # dbt reads the project

KEY_TESTS = {
    "unique_combination_of_columns", "has_every_key_once", "counts_from_one", "new_keys_are_unique",
}  # fmt: skip


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What dbt knows of the project."""
    project = Project(tmp_path_factory.mktemp("rules"))
    done = project.dbt("parse")
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads((DBT.target() / "manifest.json").read_text())
    return found


def models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The models of the project."""
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def layer(node: dict[str, Any]) -> str:
    """staging, intermediate, marts, exports, report or semantic: the first folder of the path."""
    return str(Path(node["path"]).parts[0])


def parents(node: dict[str, Any]) -> list[str]:
    """What the model reads."""
    return list(node["depends_on"]["nodes"])


def test_every_model_and_column_is_described(manifest: dict[str, Any]) -> None:
    """Columns of marts and exports above all, but of every model."""
    silent = [node["name"] for node in models(manifest) if not node["description"].strip()]
    silent += [
        f"{node['name']}.{column['name']}"
        for node in [*models(manifest), *manifest["sources"].values()]
        for column in node["columns"].values()
        if not column["description"].strip()
    ]
    bare = [node["name"] for node in models(manifest) if not node["columns"]]
    assert silent + bare == []


def test_the_description_begins_with_the_grain(manifest: dict[str, Any]) -> None:
    """The first sentence says what one row is."""
    without = [
        node["name"]
        for node in models(manifest)
        if not re.match(r"One row\b", node["description"].strip())
    ]
    assert without == []


def test_every_model_has_a_tested_key(manifest: dict[str, Any]) -> None:
    """Unique and never null on one column, or a unique combination of columns.

    A test says that a column is never null, or the contract does, which the engine enforces.
    Views of the report hold no rows of their own: they number those of tables that have a key. The
    keys of sources are tested where they are united (int_lines, int_repeated_lines, int_events), so
    that a source costs a build no tests of its own.
    """
    tests: dict[str, Counter[tuple[str, str]]] = {}
    for node in manifest["nodes"].values():
        about = node.get("test_metadata")
        if about and node.get("attached_node"):
            found = tests.setdefault(node["attached_node"], Counter())
            columns = about["kwargs"].get("columns") or [node.get("column_name") or ""]
            found.update((about["name"], column) for column in columns)
    without = []
    for node in models(manifest):
        if layer(node) == "report" or re.search(r"__(lines|repeated_lines|events)$", node["name"]):
            continue
        found = tests.get(node["unique_id"], Counter())
        unique = {column for name, column in found if name == "unique"}
        present = {column for name, column in found if name in {"not_null", "never_null"}}
        present |= {
            name
            for name, column in node["columns"].items()
            if any(constraint["type"] == "not_null" for constraint in column["constraints"])
        }
        if not unique & present and not KEY_TESTS & {name for name, _ in found}:
            without.append(node["name"])
    assert without == []


def test_marts_and_exports_are_under_contract(manifest: dict[str, Any]) -> None:
    """What others read keeps its columns and types."""
    loose = [
        node["name"]
        for node in models(manifest)
        if layer(node) in {"marts", "exports"} and not node["contract"]["enforced"]
    ]
    assert loose == []


def test_names_and_folders_say_the_layer(manifest: dict[str, Any]) -> None:
    """base_ and stg_ in staging/<source>/, int_ in events/ and intermediate/; marts are plain."""
    wrong = []
    for node in models(manifest):
        parts, name = Path(node["path"]).parts, node["name"]
        prefixed = re.match(r"(base|stg|int)_", name)
        if (layer(node) == "staging") != bool(prefixed and prefixed[1] in {"base", "stg"}):
            wrong.append(name)
        if (layer(node) in {"events", "intermediate"}) != bool(prefixed and prefixed[1] == "int"):
            wrong.append(name)
        if layer(node) == "staging" and len(parts) > 2 and parts[1] not in name:
            wrong.append(name)
    assert wrong == []


def test_the_yml_stands_beside_its_models(manifest: dict[str, Any]) -> None:
    """A model is described in its own folder."""
    wrong = [
        node["name"]
        for node in models(manifest)
        if Path(node["patch_path"].partition("://")[2]).parent
        != Path(node["original_file_path"]).parent
    ]
    assert wrong == []


def test_data_flows_one_way(manifest: dict[str, Any]) -> None:
    """Base models alone read sources, staging reads nothing downstream, nothing is a root."""
    wrong = []
    for node in models(manifest):
        above = parents(node)
        layers = {layer(manifest["nodes"][name]) for name in above if name.startswith("model.")}
        sources = [name for name in above if name.startswith("source.")]
        if sources and not node["name"].startswith("base_"):
            wrong.append(f"{node['name']} reads a source")
        if len(sources) > 1:
            wrong.append(f"{node['name']} reads several sources")
        if not above and not node["name"].endswith(("time_spine", "schema_version")):
            wrong.append(f"{node['name']} reads nothing")
        if layer(node) == "staging" and layers - {"staging"}:
            wrong.append(f"{node['name']} reads downstream")
        if node["name"].startswith("stg_") and any(".stg_" in name for name in above):
            wrong.append(f"{node['name']} reads another staging model")
    assert wrong == []


def test_no_model_behind_the_seam_reads_a_source_format(manifest: dict[str, Any]) -> None:
    """Beside it, only what is no event: files, attempts of the drain, the origin's phases."""
    apart = {"base_telemetry__files", "stg_tokenest__attempts", "base_origin__phases"}
    wrong = [
        (node["name"], name)
        for node in models(manifest)
        if layer(node) not in {"staging", "events"}
        for name in parents(node)
        if name.startswith("model.")
        and layer(manifest["nodes"][name]) == "staging"
        and name.rpartition(".")[2] not in apart
    ]
    assert wrong == []


def test_sources_have_one_reader_and_are_described(manifest: dict[str, Any]) -> None:
    """No source is unused, read twice, or silent."""
    readers = Counter(
        name for node in models(manifest) for name in parents(node) if name.startswith("source.")
    )
    for name, source in manifest["sources"].items():
        assert readers[name] == 1, name
        assert source["description"].strip()
        assert source["source_description"].strip()


def test_an_everyday_build_leaves_out_the_unit_tests_alone(tmp_path: Path) -> None:
    """The default selector takes every node but them; `deep` takes every node."""

    def selected(*arguments: str) -> set[str]:
        done = Project(tmp_path).dbt("--quiet", "ls", "--output", "name", *arguments)
        assert done.returncode == 0, done.stdout
        return set(done.stdout.split())

    unit_tests = selected("--selector", "deep", "--resource-type", "unit_test")
    assert unit_tests
    assert selected() == selected("--selector", "deep") - unit_tests


def test_no_model_joins_too_much(manifest: dict[str, Any]) -> None:
    """Seven refs or more are a model that does several things; events/ only unites the sources."""
    crowded = [
        node["name"]
        for node in models(manifest)
        if layer(node) != "events"
        and len([name for name in parents(node) if name.startswith("model.")]) >= 7
    ]
    assert crowded == []


def test_nothing_names_a_table_directly(manifest: dict[str, Any]) -> None:
    """Every table is reached through ref() or source()."""
    direct = [
        node["name"]
        for node in models(manifest)
        if re.search(
            r"\b(from|join)\s+(staging|marts|intermediate|exports|seeds)\.", node["raw_code"]
        )
    ]
    assert direct == []


def test_exposures_stand_on_public_tables(manifest: dict[str, Any]) -> None:
    """Who reads from outside reads tables under contract, or views of the report on such tables.

    The commands are released with the models, and read what they are made for.
    """
    assert manifest["exposures"]
    for exposure in manifest["exposures"].values():
        assert exposure["description"].strip()
        if exposure["name"].startswith("command_"):
            continue
        for name in exposure["depends_on"]["nodes"]:
            node = manifest["nodes"][name]
            assert node["access"] == "public", name
            tables = parents(node) if layer(node) == "report" else [name]
            # seeds have declared types, and nothing makes their columns
            for table in (manifest["nodes"][name] for name in tables if "seed." not in name):
                assert table["config"]["materialized"] in {"table", "incremental"}, table["name"]
                assert table["contract"]["enforced"], table["name"]


def test_every_reader_has_an_exposure(manifest: dict[str, Any]) -> None:
    """What Python reads of the database by name, an exposure names."""
    text = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tokenest_py").rglob("*.py")
    )
    read = set(re.findall(r"\b(?:from|join)\s+[a-z]+\.(\w+)", text))
    read |= set(re.findall(r"\"((?:cmd|rpt)_\w+)\"", text))
    read |= {name.partition(".")[2] for name in EVENT_TABLES}
    exposed = {
        name.rpartition(".")[2]
        for exposure in manifest["exposures"].values()
        for name in exposure["depends_on"]["nodes"]
    }
    read &= {node["name"] for node in models(manifest)}
    assert {"int_left_out", "int_replayed_estimates", "base_telemetry__files"} <= read
    assert read - exposed == set()


def test_everything_has_an_owner(manifest: dict[str, Any]) -> None:
    """Each model and seed that of its group; each exposure one of its own."""
    owners = {group["name"]: group["owner"]["name"] for group in manifest["groups"].values()}
    without = [
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
        and owners.get(node["config"]["group"]) != node["config"]["meta"].get("owner", "")
    ]
    without += [e["name"] for e in manifest["exposures"].values() if not e["owner"]["name"]]
    assert owners
    assert without == []


def test_saved_queries_export_every_metric(manifest: dict[str, Any]) -> None:
    """Each metric that is no part of another one."""
    parts = {
        name.rpartition(".")[2]
        for metric in manifest["metrics"].values()
        for name in metric["depends_on"]["nodes"]
        if name.startswith("metric.")
    }
    whole = {metric["name"] for metric in manifest["metrics"].values()} - parts
    assert manifest["saved_queries"]
    for query in manifest["saved_queries"].values():
        assert set(query["query_params"]["metrics"]) == whole
        assert query["exports"]


def test_each_view_of_the_report_answers_a_question(manifest: dict[str, Any]) -> None:
    """The exposure names every view of the page, and the page shows every one."""
    views = {node["name"] for node in models(manifest) if node["name"].startswith("rpt_")}
    exposure = manifest["exposures"]["exposure.tokenest.report"]["depends_on"]["nodes"]
    assert {name.rpartition(".")[2] for name in exposure} == views
    assert {question.view for question in (*HEADLINE, *SECTIONS)} == views


def test_each_formula_is_written_once() -> None:
    """No two macros have the same body."""
    bodies: dict[str, str] = {}
    for path in (ROOT / "macros").rglob("*.sql"):
        for name, body in re.findall(
            r"{%-? macro (\w+)\([^%]*-?%}(.*?){%-? endmacro", path.read_text(), re.DOTALL
        ):
            text = re.sub(r"\s+", " ", body).strip()
            if len(text) < 60 or "adapter.dispatch" in text:
                continue
            assert text not in bodies, f"{name} and {bodies[text]} are the same"
            bodies[text] = name


def test_every_variable_is_declared_once() -> None:
    """Each var has a default, and a rule that is checked before it reaches any SQL."""
    variables = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    assert variables.pop("tokenest__defaults") == variables  # what a guest reads
    rules = (ROOT / "macros/project/vars.sql").read_text(encoding="utf-8")
    assert sorted(variables) == sorted(re.findall(r"\bname='(\w+)'", rules))
    # Those that are no var there have their default where they are used, and are flags.
    named = {
        name
        for folder in ("macros", "models")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".sql", ".yml"}
        for name in re.findall(r"(?<![\w.])var\([\"'](\w+)[\"']", path.read_text(encoding="utf-8"))
    }
    assert named - set(variables) <= {"backtest", "events"}
    assert set(variables) <= named


def test_the_page_of_the_vars_is_what_the_project_prints(tmp_path: Path) -> None:
    """`make reference` has been run since a var was changed."""
    printed = Project(tmp_path).dbt("run-operation", "print_vars", "--quiet")
    assert printed.returncode == 0, printed.stdout
    assert printed.stdout == (ROOT / "docs/reference/vars.md").read_text(encoding="utf-8")


def test_rows_that_follow_the_landing_follow_their_vars(manifest: dict[str, Any]) -> None:
    """following_vars() names every var that the models with rows of their own can read."""

    def macros(names: list[str], found: set[str]) -> set[str]:
        for name in set(names) - found:
            if name.startswith("macro.tokenest."):
                found.add(name)
                macros(manifest["macros"][name]["depends_on"]["macros"], found)
        return found

    read = set()
    for node in models(manifest):
        if node["config"]["materialized"] == "incremental" and node["config"]["unique_key"]:
            used = macros(node["depends_on"]["macros"], set())
            texts = [node["raw_code"], *(manifest["macros"][name]["macro_sql"] for name in used)]
            read |= {name for text in texts for name in re.findall(r"\bvar\(['\"](\w+)", text)}
    source = manifest["macros"]["macro.tokenest.following_vars"]["macro_sql"]
    assert read == set(re.findall(r"'(\w+)'", source))


def test_metrics_leave_out_what_the_marts_leave_out(manifest: dict[str, Any]) -> None:
    """Those that a ratio is made of can be asked for by themselves."""
    metrics = manifest["metrics"].values()
    assert len(metrics) > 8
    assert [metric["name"] for metric in metrics if not metric["filter"]] == []
