"""Facts that have to stand in SQL and in Python say the same in both."""

from __future__ import annotations

import ast
import configparser
import csv
import re
from collections import Counter

import pytest
import yaml

from dbt_project import ROOT
from tokenest_py.pipeline.collection import events
from tokenest_py.pipeline.files import REQUIRED
from tokenest_py.runtime.recorder import record
from tokenest_py.runtime.table import file
from tokenest_py.runtime.table.kinds import KINDS, MAX_TEXT, NUMBERS, TEXTS

# Older tables have it; limits are looked up in the seed now.
RETIRED = {"model_limit"}


def sql(path: str) -> str:
    """The text of a file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def exported() -> dict[str, set[str]]:
    """Kind: the columns that the models of the export fill."""
    names = ("coefficients", "learned_coefficients")
    text = "".join(sql(f"models/exports/{name}.sql") for name in names)
    lists = dict(re.findall(r"set (\w+) = (\[[^\[\](]*\])", text))
    found = re.findall(r"\(\s*'(\w+)',\s*'\w+',\s*(\[[^\]]*\]|\w+),?\s*\)", text)
    return {kind: set(ast.literal_eval(lists.get(names, names))) for kind, names in found}


def test_the_export_has_every_kind() -> None:
    """Those that the runtime reads, and no other."""
    assert exported().keys() == KINDS.keys() - RETIRED


def test_what_an_event_record_needs() -> None:
    """Messages name the fields that the field map calls required."""
    with (ROOT / "models/staging/tokenest/fields.csv").open(encoding="utf-8") as file_:
        rows = [row for row in csv.DictReader(file_) if row["required"] in {"always", "event"}]
    assert " and ".join(dict.fromkeys(row["field"] for row in rows)) == REQUIRED


def test_each_rule_of_sqlfluff_is_looked_for_once() -> None:
    """In models as written, or where macros are expanded."""
    lists = {}
    for path, key in ((".sqlfluff", "rules"), (".sqlfluff-expanded", "exclude_rules")):
        settings = configparser.ConfigParser()
        settings.read_string(sql(path))
        lists[path] = settings["sqlfluff"][key].split(", ")
    assert lists[".sqlfluff"] == lists[".sqlfluff-expanded"]


@pytest.mark.parametrize("name", sorted(KINDS.keys() - RETIRED))
def test_the_export_fills_what_a_kind_says(name: str) -> None:
    """All that it must have, and nothing that it may not have."""
    kind, columns = KINDS[name], exported()[name]
    assert kind.must - {"kind"} <= columns <= kind.must | kind.may


def test_the_export_types_are_those_of_the_runtime() -> None:
    """Texts are texts; whole numbers are whole."""
    text = sql("macros/export/coefficient_rows.sql")
    types = dict(re.findall(r"\{'name': '(\w+)', 'type': '(\w+)'\}", text))
    assert {name for name, type_ in types.items() if type_ == "string"} == TEXTS
    numbers = {name: type_ for name, type_ in types.items() if type_ in {"bigint", "double"}}
    assert numbers.keys() == NUMBERS.keys()
    for name, type_ in numbers.items():
        assert (type_ == "bigint") == (NUMBERS[name][0] == {int}), name


def test_the_kinds_of_a_table_are_documented() -> None:
    """The page on the table leads to the kinds."""
    assert "(reference/coefficients.md)" in sql("docs/coefficients.md")


def test_numbers_that_stand_twice_are_equal() -> None:
    """Each in SQL, and where Python cannot ask SQL."""
    variables = yaml.safe_load(sql("dbt_project.yml"))["vars"]
    [version] = re.findall(r'"format_version":(\d+)', sql("macros/export/export_coefficients.sql"))
    assert int(version) == file.FORMAT_VERSION
    assert variables["max_line_bytes"] == events.MAX_LINE_BYTES
    [whole] = re.findall(r"macro max_whole_number.*?(\d{9,})", sql("macros/formulas/numbers.sql"),
                         re.DOTALL)  # fmt: skip
    assert int(whole) == record.MAX_WHOLE_NUMBER
    [length] = re.findall(r"<= (\d+), true", sql("macros/export/coefficient_rows.sql"))
    assert int(length) == MAX_TEXT


def test_every_reason_to_leave_a_call_out_is_counted() -> None:
    """Those that int_demand may give are those that the counts by reason have."""
    [text] = re.findall(r"macro left_out_reasons.*?(\[.*?\])", sql("macros/formulas/demand.sql"),
                        re.DOTALL)  # fmt: skip
    models = yaml.safe_load(sql("models/intermediate/demand/_demand__models.yml"))["models"]
    [demand] = (model for model in models if model["name"] == "int_demand")
    [column] = (one for one in demand["columns"] if one["name"] == "excluded_reason")
    [test] = column["data_tests"]
    assert set(ast.literal_eval(text)) == set(test["accepted_values"]["arguments"]["values"])


def test_a_column_of_many_models_is_described_once() -> None:
    """In a `__docs.md`: of what more than five models have, none repeats the words."""
    found = Counter(
        (column["name"], column["description"])
        for path in (ROOT / "models").rglob("*.yml")
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", [])
        for column in model.get("columns", [])
        if "doc(" not in column["description"]
    )
    assert [column for column, times in found.items() if times > 5] == []
