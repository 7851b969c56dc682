"""`tokenest import`: real files of each kind, written as telemetry that lands, without texts."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from dbt_project import ROOT, Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SECRET = "canary-2f6e"
TIME = "2026-06-01T10:00:00Z"
TOTALS = (
    "llm_usage_events: openai m: 1 calls, 10 output tokens of 30 in all; no outcome, so no events"
)


def spend(number: int, **fields: object) -> dict[str, Any]:
    """A row of a gateway's spend logs that stored prompts and answers."""
    response = {"choices": [{"finish_reason": "length", "message": {"content": SECRET}}]}
    return {
        "request_id": f"s{number}", "call_type": "acompletion", "spend": 0.5,
        "completion_tokens": 90 + number, "prompt_tokens": 20, "model": "gpt-x",
        "endTime": "2026-06-01 10:00:00+00", "cache_hit": "False", "status": "success",
        "request_tags": json.dumps(["faq"]), "response": json.dumps(response),
        "proxy_server_request": json.dumps({"max_tokens": 400, "messages": [SECRET]}),
        "messages": SECRET,
    } | fields  # fmt: skip


def make_files(folder: Path) -> list[Path]:
    """One file of each kind."""
    with closing(sqlite3.connect(folder / "gateway.db")) as connection:
        names = ", ".join(f'"{name}"' for name in spend(1))
        connection.execute(f'create table "LiteLLM_SpendLogs" ({names})')
        connection.execute("create table notes (text)")
        marks = ", ".join("?" * len(spend(1)))
        for number in (1, 2):
            connection.execute(
                f'insert into "LiteLLM_SpendLogs" values ({marks})', list(spend(number).values())
            )
        connection.execute("insert into notes values (?)", [SECRET])
        connection.commit()
    with closing(sqlite3.connect(folder / "autopack.db")) as connection:
        connection.executescript(
            "create table token_estimation_v2_events (event_id, run_id, phase_id, timestamp,"
            " category, complexity, deliverable_count, deliverables_json, predicted_output_tokens,"
            " actual_output_tokens, selected_budget, success, truncated, stop_reason, model);"
            "insert into token_estimation_v2_events values (1, 'r', 'p1',"
            " '2025-12-20 08:00:00.250000', 'tests', 'low', 1, '[\"a.py\"]', 700, 650, 8192, 1, 0,"
            " 'end_turn', 'm');"
            "insert into token_estimation_v2_events values (2, 'r', 'p2', '2025-12-26 08:00:00',"
            " 'tests', 'low', 1, '[]', 700, 8192, 8192, 0, 1, 'max_tokens', 'm');"
            "create table llm_usage_events (provider, model, total_tokens, completion_tokens);"
            "insert into llm_usage_events values ('openai', 'm', 30, 10);"
        )
    for name, rows in (
        ("dump.parquet", [spend(3), spend(4)]),
        ("dump.csv", [spend(5), spend(6, completion_tokens=0)]),
    ):
        lines = folder / "rows.json"
        lines.write_text(json.dumps(rows), encoding="utf-8")
        duckdb.read_json(str(lines)).query("rows", f"copy rows to '{folder / name}'")
        lines.unlink()
    (folder / "pretty.json").write_text(
        json.dumps([spend(7, endTime=TIME), {"speaker": SECRET}], indent=4), encoding="utf-8"
    )
    with zipfile.ZipFile(folder / "logs.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("june.json", json.dumps(spend(8, endTime=TIME)))
        archive.writestr("notes.txt", SECRET)
    names_ = ["gateway.db", "autopack.db", "dump.parquet", "dump.csv", "pretty.json", "logs.zip"]
    return [folder / name for name in names_]


@pytest.fixture(scope="module")
def imported(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Project, list[Path], subprocess.CompletedProcess[str]]:
    """A project into which all of them were imported by one command."""
    project = Project(tmp_path_factory.mktemp("imported"))
    files = make_files(project.folder)
    done = project.tokenest("import", *[path.name for path in files])
    return project, files, done


def test_each_file_is_accounted_for(
    imported: tuple[Project, list[Path], subprocess.CompletedProcess[str]],
) -> None:
    """Lines by source, the files that have them, and what was left out and why."""
    project, _, done = imported
    assert done.returncode == 0, done.stderr
    folder = project.folder / "telemetry" / "recorded"
    said = [line for line in done.stderr.splitlines() if "wrote" not in line]
    assert said[1:] == [
        "gateway.db: 2 lines of litellm",
        "  left out gateway.db: notes: no source knows its columns",
        "autopack.db: 2 lines of origin",
        f"  {TOTALS}",
        "dump.parquet: 2 lines of litellm",
        "dump.csv: 2 lines of litellm",
        "pretty.json: 1 line of litellm",
        "  left out pretty.json: no source knows it",
        "logs.zip: 1 line of litellm",
        "  left out logs.zip: notes.txt: no source knows it",
        "next: tokenest build",
    ]
    names = sorted(path.name for path in folder.iterdir())
    assert [name.rsplit("-", 1)[0] for name in names] == [
        "imported-litellm-dump", "imported-litellm-dump", "imported-litellm-gateway",
        "imported-litellm-logs", "imported-litellm-pretty", "imported-origin-autopack",
    ]  # fmt: skip
    line = json.loads((folder / names[2]).read_text(encoding="utf-8").splitlines()[0])
    assert line["imported_from"] == {"file": "gateway.db", "row": 1, "table": "LiteLLM_SpendLogs"}
    assert SECRET not in "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())


def test_it_lands(
    imported: tuple[Project, list[Path], subprocess.CompletedProcess[str]],
) -> None:
    """The events are those of the rows, with ceilings and stop words; nothing is quarantined."""
    project, _, _ = imported
    project.build("files", "int_events", tests=False)
    assert project.rows("select sum(quarantined) from marts.files") == [(0,)]
    found = project.rows(
        "select event_id, actual_output_tokens, actual_max_tokens, stop_reason, is_truncated,"
        " category from events.int_events where source_name = 'litellm' order by event_id"
    )
    assert found == [
        (f"litellm_spend:s{n}", 0 if n == 6 else 90 + n, 400, "length", True, "faq")
        for n in range(1, 9)
    ]
    assert project.rows(
        "select phase_id, actual_max_tokens, is_truncated from events.int_events"
        " where source_name = 'origin' order by phase_id"
    ) == [("p1", None, False), ("p2", 8192, True)]


def add(database: Path, row: dict[str, Any]) -> None:
    """One more row of the spend logs."""
    with closing(sqlite3.connect(database)) as connection:
        marks = ", ".join("?" * len(row))
        connection.execute(f'insert into "LiteLLM_SpendLogs" values ({marks})', list(row.values()))
        connection.commit()


def test_again_it_writes_nothing_and_grows_by_what_is_new(
    imported: tuple[Project, list[Path], subprocess.CompletedProcess[str]],
) -> None:
    """The same lines stay; rows behind them make a file grow, others get one beside it."""
    project, files, _ = imported
    folder = project.folder / "telemetry" / "recorded"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    again = project.tokenest("import", *[path.name for path in files])
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("all of it had been imported before") == len(files)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    [old] = folder.glob("imported-litellm-gateway-*")
    add(project.folder / "gateway.db", spend(9))
    assert project.tokenest("import", "gateway.db").returncode == 0
    assert list(folder.glob("imported-litellm-gateway-*")) == [old]
    grown = old.read_bytes()
    assert grown.startswith(before[old])
    assert grown.count(b"\n") == before[old].count(b"\n") + 1
    add(project.folder / "gateway.db", spend(0))
    assert project.tokenest("import", "gateway.db").returncode == 0
    assert len(list(folder.glob("imported-litellm-gateway-*"))) == 2
    assert old.read_bytes() == grown


def test_a_file_that_cannot_be_read_costs_itself(tmp_path: Path) -> None:
    """The others are imported, and the exit code says that a part was left out."""
    project = Project(tmp_path)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1xx")
    (tmp_path / "good.json").write_text(json.dumps([spend(1, endTime=TIME)]), encoding="utf-8")
    done = project.tokenest("import", "bad.parquet", "good.json")
    assert done.returncode == 3
    assert "good.json: 1 line of litellm" in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "tokenest: 1 file of 2 could not be imported; see above"
    )
    done = project.tokenest("import", "bad.parquet")
    assert done.returncode == 1
    [error] = [line for line in done.stderr.splitlines() if line.startswith("tokenest: ")]
    assert "bad.parquet cannot be read: " in error
    (tmp_path / "foreign.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    done = project.tokenest("import", "foreign.csv")
    assert done.returncode == 4
    assert "left out foreign.csv: no source knows its columns" in done.stderr
    assert "Columns named occurred_at and actual_output_tokens make a table" in done.stderr
    (tmp_path / "own.csv").write_text(
        "occurred_at,actual_output_tokens,actual_max_tokens,stop_reason,category\n"
        "2026-05-01T00:00:00Z,812,1024,stop,chat\n",
        encoding="utf-8",
    )
    done = project.tokenest("import", "own.csv")
    assert done.returncode == 0, done.stderr
    assert "own.csv: 1 line of tokenest" in done.stderr


def test_an_odd_cell_costs_its_line_at_most(project: Project) -> None:
    """Decimals, as warehouses export counts, and bytes are read; what is no number is nothing."""
    folder = project.folder
    duckdb.sql(
        "copy (select timestamp '2026-06-01 10:00:00' as occurred_at, uuid() as event_id,"
        " cast(n as decimal(38, 0)) as actual_output_tokens, 'chat'::blob as category,"
        " case n when 1 then 'nan'::double else 400 end as actual_max_tokens"
        f" from range(1, 4) as numbers (n)) to '{folder}/odd.parquet'"
    )
    with closing(sqlite3.connect(folder / "odd.db")) as connection:
        connection.execute("create table calls (occurred_at, actual_output_tokens, event_id)")
        connection.execute("insert into calls values (?, 4, ?)", [TIME, b"\xff\x00"])
        connection.commit()
    (folder / "odd.json").write_text(
        f'{{"occurred_at": "{TIME}", "actual_output_tokens": 1e999}}\n'
        f'{{"occurred_at": "{TIME}", "actual_output_tokens": 5}}\n',
        encoding="utf-8",
    )
    (folder / "odd.csv").write_text(
        f"occurred_at,actual_output_tokens,smape_percent,labels\n{TIME},6,,\n{TIME},7,1.2.3,\n"
        f"{TIME},{'9' * 400},1,\n{TIME},8,.5,{'[' * 100_000}\n",
        encoding="utf-8",
    )
    done = project.tokenest("import", "odd.parquet", "odd.db", "odd.json", "odd.csv")
    assert done.returncode == 0, done.stderr
    assert "left out odd.json: a number is too large" in done.stderr
    assert project.tokenest("build").returncode == 0
    calls = "select actual_output_tokens, category, actual_max_tokens from events.int_events"
    assert project.rows(f"{calls} order by 1") == [
        (1, "chat", None), (2, "chat", 400), (3, "chat", 400),
        *((n, None, None) for n in (4, 5, 6, 8)),
    ]  # fmt: skip


def test_a_block_that_is_damaged_is_named(project: Project) -> None:
    """The footer of a Parquet file is whole, and what it leads to is not."""
    path = project.folder / "damaged.parquet"
    duckdb.sql(
        "copy (select timestamp '2026-06-01 10:00:00' as occurred_at, md5(cast(n as text)) as"
        f" event_id, n as actual_output_tokens from range(20000) as numbers (n)) to '{path}'"
    )
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    path.write_bytes(content)
    done = project.tokenest("import", str(path))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"tokenest: {path} cannot be read: ")
    assert not list(project.folder.rglob("imported-*"))


def test_a_disk_that_is_full_leaves_nothing(project: Project) -> None:
    """The folder is named, and not the file that is read."""
    rows = [spend(number, endTime=TIME) for number in range(200)]
    (project.folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from tokenest_py.__main__ import run\n"
        "sys.exit(run(['import', 'rows.json', '--into', 'into']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=project.folder, text=True,
                          env=project.environment(), capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "tokenest: into cannot be written to: File too large; choose another --into"
    )
    assert list((project.folder / "into").iterdir()) == []


MEANT = (
    "source_name, occurred_at, run_id, category, labels, provider, model, input_tokens,"
    " actual_max_tokens, actual_output_tokens, reasoning_tokens, stop_reason, is_success"
)


def test_the_states_of_a_thread_repeat_its_answers(tmp_path: Path) -> None:
    """Each checkpoint of LangGraph holds all messages so far: an answer counts once, as it came."""
    project = Project(tmp_path)
    answers = [
        {
            "type": "ai", "id": f"{name}{number}", "content": SECRET,
            "usage_metadata": {"input_tokens": 9, "output_tokens": 50 + number},
            "response_metadata": {"model_name": "m", "finish_reason": "stop"},
        }
        for name in ("lc_run--01", "chatcmpl-") for number in range(3)
    ]  # fmt: skip
    states = [
        {"values": {"messages": answers[: step + 1]}, "created_at": f"2026-06-01T08:00:0{step}Z"}
        for step in reversed(range(6))
    ]
    (tmp_path / "history.json").write_text(json.dumps(states), encoding="utf-8")
    done = project.tokenest("import", "history.json")
    assert done.returncode == 0, done.stderr
    project.build("int_events", tests=False)
    assert project.rows(
        "select extract(second from occurred_at), actual_output_tokens from events.int_events"
        " order by all"
    ) == [(second, 50 + second % 3) for second in range(6)]


def test_a_sample_that_is_imported_means_what_it_means_where_it_lies(tmp_path: Path) -> None:
    """Of every source: whoever packed its files loses nothing of their calls."""
    folders = {path.parent.name: path for path in ROOT.glob("models/staging/*/sample.*son*")}
    for name in ("raw", "packed"):
        (tmp_path / name).mkdir()
    raw, packed = Project(tmp_path / "raw"), Project(tmp_path / "packed")
    for source, path in folders.items():
        shutil.copy(path, raw.telemetry(f"{source}.ndjson"))
    raw.build("int_events", tests=False)
    samples = [str(path) for path in (raw.folder / "telemetry").iterdir()]
    done = packed.tokenest("import", *samples)
    assert done.returncode == 0, done.stderr
    packed.build("int_events", tests=False)
    query = f"select {MEANT} from events.int_events order by all"
    assert packed.rows(query) == raw.rows(query)
