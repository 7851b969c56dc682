"""The contract of a source: one suite for every folder of models/staging."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import json
import re
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml

from dbt_project import BIN, ROOT, Project
from tokenest_py.pipeline.importing.mapped import Source, read_sources
from tokenest_py.runtime.recorder.record import EVENT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

pytestmark = pytest.mark.slow

STAGING = ROOT / "models" / "staging"
SOURCES = sorted(path.name for path in STAGING.iterdir() if path.is_dir())
# A text that every sample holds where nothing may be kept: beside the mapped members, in lines that
# are no call, and in rejected lines.
CANARY = "canary-7d1f"
# The project itself, without its tests and its documentation.
PARTS = ("dbt_project.yml", "profiles.yml", "macros", "models", "seeds", "tests/dbt")


def samples(source: str) -> list[Path]:
    """The sample files of a source."""
    return sorted(STAGING.joinpath(source).glob("sample*"))


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# What one record of each kind has to mean, by the source and by what its samples have to hold; what
# it means is in expected.csv. The other traps are files: test_silent_errors.py, test_batches.py.
TRAPS = {
    "a resumed session": ("claude_code", '"uuid": "copy"'),
    "a progress line with usage": ("claude_code", '"type": "progress".*"usage"'),
    "a count that is written again": ("codex", '"token_count"'),
    "a fork": ("codex", '"forked_from_id"'),
    "a sum over its calls": ("otel", '"invoke_agent".*gen_ai.usage'),
    "a whole number as a number": ("otel", '"intValue": [0-9]'),
    "nine and a half tokens": ("otel", '"9[.]5"'),
    "a repeated attribute": ("otel", '("gen_ai.request.model".*){2}'),
    "another spelling of the ceiling": ("vertex_batch", '"max_output_tokens"'),
    "no candidates": ("vertex_batch", '"usageMetadata": {"promptTokenCount": 60, "thoughts'),
    "an answer from a cache": ("litellm", '"cache_hit": true'),
    "a word that is not true": ("litellm", '"cache_hit": "False"'),
    "an observation that grew": ("langfuse", '"output_reasoning_tokens"'),
    "an answer that was read": ("inspect_ai", '"cache": "read"'),
    "a message that grew": ("gemini_cli", '"tokens": null'),
    "reasoning in the total": ("opencode", '"total": 4400'),
    "an answer that is logged twice": ("answers", '"response": {"id": "chatcmpl-a2"'),
    "an answer in a text": ("answers", r'"response": "[{]'),
    "a part of a stream": ("answers", '"done": false'),
    "thoughts in the total": ("answers", '"totalTokenCount": 971'),
    "outputs in a text": ("langsmith", r'"outputs": "[{]'),
    "a run that is no call": ("langsmith", '"run_type": "chain".*"completion_tokens": 300'),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All samples of all sources in one build."""
    project = Project(tmp_path_factory.mktemp("sources"))
    for source in SOURCES:
        for path in samples(source):
            shutil.copy(path, project.telemetry(f"{source}-{path.name}"))
    said = project.dbt_build("--log-level", "debug", telemetry="telemetry/*")
    (project.folder / "said.log").write_text(said, encoding="utf-8")
    return project


def test_a_source_is_a_folder_and_a_word() -> None:
    """The folders of models/staging are the words of var sources."""
    variables = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    assert sorted(variables["sources"]) == SOURCES


@pytest.mark.parametrize("source", SOURCES)
def test_the_sample_gives_the_expected_events(built: Project, source: str) -> None:
    """Each column that expected.csv names, of every event of the source."""
    expected = rows(STAGING / source / "expected.csv")
    columns = list(expected[0])
    found = built.rows(
        f"select {', '.join(f'cast({name} as varchar)' for name in columns)}"
        " from events.int_events where source_name = ? order by event_id",
        source,
    )
    assert [dict(zip(columns, row, strict=True)) for row in found] == [
        {name: value or None for name, value in row.items()} for row in expected
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_the_lines_of_the_sample_add_up(built: Project, source: str) -> None:
    """Counted by reading the file, and by the verdicts; each verdict that can be is there."""
    columns = "accepted, duplicate, quarantined, blank, other"
    total = [0] * 5
    for path in samples(source):
        [(belongs_to, lines, *counts)] = built.rows(
            f"select source_name, lines, {columns} from marts.files"
            " where parse_filename(source_file) = ?",
            f"{source}-{path.name}",
        )
        assert belongs_to == source
        assert lines == path.read_bytes().count(b"\n") == sum(counts)
        total = [sum(pair) for pair in zip(total, counts, strict=True)]
    assert all(total[:4]), dict(zip(columns.split(", "), total, strict=True))


@pytest.mark.parametrize("trap", TRAPS)
def test_a_sample_holds_its_trap(trap: str) -> None:
    """So that the expected events say what it means."""
    source, pattern = TRAPS[trap]
    assert any(re.search(pattern, path.read_text(encoding="utf-8")) for path in samples(source))


def is_way(source: Source, way: Mapping[str, Any], record: object) -> bool:
    """Whether a record, or the first of a page of them, is recognised in this way."""
    if not isinstance(record, dict):
        return False
    page = "data[0]."
    keys = [key.removeprefix(page) for key in way.get("keys", [])]
    if keys != way.get("keys", []):
        [record, *_] = record.get("data") or [{}]
    return replace(source, ways=({**way, "keys": keys},)).recognises(record)


def sampled_records(name: str) -> list[object]:
    """What stands in the samples of a source: whole files, lines, and items of lists."""
    parsed: list[object] = []
    for path in samples(name):
        text = path.read_text(encoding="utf-8")
        for whole in [text, *text.splitlines()]:
            with contextlib.suppress(ValueError):
                found = json.loads(whole)
                parsed += found if isinstance(found, list) else [found]
    return parsed


@pytest.mark.parametrize("name", SOURCES)
def test_each_way_to_recognise_a_source_is_in_its_sample(name: str) -> None:
    """So that the expected events try all of them."""
    [source] = read_sources(ROOT, [name])
    untried = [
        way
        for way in source.ways
        if not any(is_way(source, way, record) for record in sampled_records(name))
    ]
    assert untried == []


@pytest.mark.parametrize("name", SOURCES)
def test_no_other_source_recognises_a_record_of_a_sample(name: str) -> None:
    """A file with one would be of two sources, and not read; one that yields is no other."""
    others = [s for s in read_sources(ROOT, SOURCES) if s.name != name and not s.yields]
    records = [record for record in sampled_records(name) if isinstance(record, dict)]
    assert records
    assert [
        (source.name, record)
        for source in others
        for record in records
        if source.recognises(record)
    ] == []


def test_what_an_envelope_holds_is_read_of_it() -> None:
    """Each path that tells an envelope begins one of the field map."""
    for source in read_sources(ROOT, SOURCES):
        paths = [path for row in source.fields for path in row["path"].split(" + ")]
        for name, envelope in source.envelopes.items():
            unread = [
                held
                for held in envelope["holds"]
                if not any(path.startswith(f"{name}>{held}") for path in paths)
            ]
            assert unread == [], (source.name, name)


def tables_that_hold(project: Project, text: str) -> set[str]:
    """The tables of which a row holds the text."""
    found = set()
    with duckdb.connect(str(project.database), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
        ).fetchall()
        for (table,) in tables:
            query = f"select count(*) from {table} as t where contains(cast(t as varchar), ?)"
            if connection.execute(query, [text]).fetchone() != (0,):
                found.add(table)
    return found


@pytest.mark.parametrize("source", SOURCES)
def test_the_sample_holds_text_that_must_not_land(source: str) -> None:
    """Without it the next test could not fail."""
    assert any(CANARY in path.read_text(encoding="utf-8") for path in samples(source))


def test_no_text_of_a_line_is_stored(built: Project) -> None:
    """No table, no byte of database, exports and log has the canary; mapped members are found."""
    assert "staging.base_origin__lines" in tables_that_hold(built, "login-form")
    assert tables_that_hold(built, CANARY) == set()
    log = built.folder / "said.log"
    assert "base_codex__lines" in log.read_text(encoding="utf-8")
    for path in [built.database, log, *built.folder.glob("exports/*")]:
        assert CANARY.encode() not in path.read_bytes(), path


def test_a_source_without_files_has_the_columns_of_one_with(built: Project, empty: Project) -> None:
    """Nothing is planned for it: its tables are made from the field map alone."""
    query = (
        "select table_name, column_name, column_index, data_type from duckdb_columns()"
        " where schema_name = 'staging'"
    )
    full = {row[:3]: row[3] for row in built.rows(query)}
    bare = {row[:3]: row[3] for row in empty.rows(query)}
    assert len(full) > 60 * len(SOURCES)
    assert bare.keys() == full.keys()
    different = {place: (bare[place], kind) for place, kind in full.items() if bare[place] != kind}
    # a list that no record of a source has is of no type in DuckDB
    assert {kind for _, kind in different.values()} <= {'"NULL"'}, different


def test_the_document_lists_the_sources() -> None:
    """In the order of the var, each with a page that says what it knows and what it cannot."""
    variables = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    text = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == variables["sources"]
    for source in set(SOURCES) - {"tokenest"}:
        assert f"(sources/{source}.md)" in text
        page = (ROOT / "docs" / "sources" / f"{source}.md").read_text(encoding="utf-8")
        for word in ("**Reads**", "**Knows**", "**Cannot know**", f"TOKENEST_TELEMETRY='{source}:"):
            assert word in page, (source, word)


def generator() -> ModuleType:
    """The program behind `make fields`."""
    spec = importlib.util.spec_from_file_location(
        "source_fields", ROOT / "macros" / "record" / "source_fields.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_macro_of_the_field_maps_is_in_step() -> None:
    """`make fields` would change nothing."""
    found = (ROOT / "macros" / "record" / "source_fields.sql").read_text(encoding="utf-8")
    assert found == generator().generated(ROOT)


@pytest.mark.parametrize("source", SOURCES)
def test_a_field_map_maps_to_the_event_record(source: str) -> None:
    """Every field is one of the record, of its type; places are ranked from 1."""
    record = {row["field"]: row["type"] for row in rows(STAGING / "tokenest" / "fields.csv")}
    ranks: dict[str, list[int]] = {}
    for row in rows(STAGING / source / "fields.csv"):
        name, _, label = row["field"].partition(".")
        if row.get("record") != "own":  # which only the source's own SQL reads
            assert ("label" if label else record[name]) == row["type"], row
            assert not label or name == "labels", row
        ranks.setdefault(row["field"], []).append(int(row["rank"]))
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in ranks.values())
    assert {"occurred_at", "actual_output_tokens"} <= set(ranks)


def test_the_page_of_the_record_lists_its_fields() -> None:
    """docs/event_record.md names each field with its type, and marks the required ones."""
    text = (ROOT / "docs" / "event_record.md").read_text(encoding="utf-8")
    words = {
        "text": "text", "time": "time", "whole": "whole", "number": "number",
        "flag": "true or false", "text_list": "list of text", "labels": "object of text",
        "record_type": "`attempt` or `event`",
    }  # fmt: skip
    listed = {
        name: (kind.strip(), f"**`{name}`**" in names)
        for names, kind in re.findall(r"^\| ([^|]*`[^|]*) \| ([^|]*) \|", text, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    for row in rows(STAGING / "tokenest" / "fields.csv"):
        if row["rank"] != "1":
            continue
        is_bold = row["required"] in ({"attempt"} if row["record"] else {"always", "event"})
        assert listed.get(row["field"]) == (words[row["type"]], is_bold), row


def test_the_recorder_writes_fields_of_the_record() -> None:
    """Everything the recorder can be told has a place in the map."""
    fields = {row["field"] for row in rows(STAGING / "tokenest" / "fields.csv")}
    assert fields >= EVENT_FIELDS


TOY = {
    "fields.csv": (
        "field,rank,path,type,required,default,record\n"
        "occurred_at,1,at,time,always,,\n"
        "run_id,1,session,text,,'toy',\n"
        "phase_id,1,message.id,text,,event_key,\n"
        "category,1,tags[0],text,,,\n"
        "actual_output_tokens,1,message.usage.output,whole,always,,\n"
        "actual_output_tokens,2,message.usage.completion,whole,always,,\n"
        "stop_reason,1,message.stop,text,,,\n"
    ),
    "_toy__models.yml": (
        "models:\n"
        "  - name: base_toy__lines\n"
        "    description: One row per line of a toy's log.\n"
        "    config: {meta: {recognised_by: [{keys: [kind, session]}]}}\n"
    ),
    "base_toy__lines.sql": (
        """{% set record %}case when not json_valid(line_text) then line_text """
        """when line_text ->> '$.kind' = 'answer' then line_text end{% endset %}\n"""
        """{{ land('toy', record=record, key="'toy:' || phase_id_value") }}\n"""
    ),
    "base_toy__repeated_lines.sql": (
        "{{ repeated_lines('toy', best='lines.actual_output_tokens desc') }}\n"
    ),
}
TOY_LINES = """
{"kind": "question", "session": "s", "text": "canary-7d1f"}
{"kind": "answer", "session": "s", "at": "2026-04-01T00:00:00Z", "tags": ["chat"], \
"message": {"id": "m-1", "content": "canary-7d1f", "usage": {"output": 5}}}
{"kind": "answer", "session": "s", "at": "2026-04-01T00:01:00Z", "tags": ["chat"], \
"message": {"id": "m-2", "usage": {"completion": 70}, "stop": "end_turn"}}
{"kind": "answer", "canary-7d1f
""".lstrip()
GROWN = (
    '{"kind": "answer", "session": "s", "at": "2026-04-01T00:00:09Z", "tags": ["chat"], "message":'
    ' {"id": "m-1", "usage": {"output": 90}, "stop": "max_tokens"}}'
)


def test_a_source_is_added_in_one_folder_and_one_word(tmp_path: Path) -> None:
    """Its events reach the marts, and a call that grows is no conflict for the next build."""
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / part, tmp_path / part)
    folder = tmp_path / "models" / "staging" / "toy"
    folder.mkdir()
    for name, text in TOY.items():
        (folder / name).write_text(text, encoding="utf-8")
    stg = (STAGING / "origin" / "stg_origin__events.sql").read_text(encoding="utf-8")
    (folder / "stg_toy__events.sql").write_text(stg.replace("origin", "toy"), encoding="utf-8")
    (tmp_path / "macros" / "record" / "source_fields.sql").write_text(
        generator().generated(tmp_path), encoding="utf-8"
    )
    settings = tmp_path / "dbt_project.yml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("sources: [", "sources: [toy, "), encoding="utf-8")

    project = Project(tmp_path)
    log = project.telemetry("toy.jsonl")
    log.write_text(TOY_LINES, encoding="utf-8")
    shutil.copy(samples("tokenest")[0], project.telemetry("own.ndjson"))
    query = (
        "select event_id, category, actual_output_tokens, is_truncated from marts.calls"
        " where event_id like 'toy:%' order by event_id"
    )
    _build(project)
    assert project.rows(query) == [
        ("toy:m-1", "chat", 5, None),
        ("toy:m-2", "chat", 70, False),
    ]
    with log.open("a", encoding="utf-8") as file:
        file.write(GROWN + "\n")
    _build(project)
    assert project.rows(query) == [
        ("toy:m-1", "chat", 90, True),
        ("toy:m-2", "chat", 70, False),
    ]
    assert project.rows(
        "select lines, accepted, duplicate, quarantined, blank, other from marts.files"
        " where source_name = 'toy'"
    ) == [(5, 2, 1, 1, 0, 1)]
    assert tables_that_hold(project, CANARY) == set()


def _build(project: Project) -> None:
    """Run `tokenest build` in the copied project, with the tests of the data."""
    done = subprocess.run(
        [BIN / "tokenest", "build"],
        cwd=project.folder,
        env=project.environment("telemetry/*") | {"DBT_TARGET_PATH": "target"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
