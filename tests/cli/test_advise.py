"""`tokenest advise`: what a stranger sees of logs that exist, with nothing configured."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from dbt_project import BIN, ROOT, Project, line

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SECRET = "canary-51fe"


def advise(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a folder of its own; the plans are those of the checkout."""
    environment = Project(folder).environment()
    del environment["TOKENEST_DB"], environment["TOKENEST_EXPORTS"]
    del environment["TOKENEST_TELEMETRY"]
    return subprocess.run(
        [BIN / "tokenest", "advise", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def write(path: Path, *records: object) -> Path:
    """One JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def payloads(route: str, ceiling: int, outputs: list[int]) -> list[dict[str, Any]]:
    """Calls of a route through a gateway; an output above the ceiling is cut off there."""
    return [
        {
            "id": f"{route}-{number}", "call_type": "acompletion", "status": "success",
            "endTime": 1780272000 + 60 * number, "model": "m", "request_tags": [route],
            "completion_tokens": min(wanted, ceiling), "model_parameters": {"max_tokens": ceiling},
            "metadata": {"tenant": {"name": "a" if number % 2 else "b"}}, "messages": SECRET,
            "response": {"choices": [{
                "finish_reason": "length" if wanted > ceiling else "stop",
                "message": {"content": SECRET},
            }]},
        }
        for number, wanted in enumerate(outputs)
    ]  # fmt: skip


def session(number: int, output: int, **fields: object) -> dict[str, Any]:
    """An answer of Claude Code that says neither how it ended nor its ceiling."""
    message = {
        "id": f"m{number}", "model": "claude-x", "stop_reason": None,
        "usage": {"input_tokens": 5, "output_tokens": output},
        "content": [{"type": "text", "text": SECRET * 20}],
    }  # fmt: skip
    return {
        "type": "assistant", "sessionId": "s", "uuid": f"u{number}", "requestId": f"q{number}",
        "timestamp": f"2026-06-01T00:00:{number:02d}Z", "message": message,
    } | fields  # fmt: skip


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the log of a gateway: 333 calls of five routes."""
    folder = tmp_path_factory.mktemp("gateway")
    records = [
        *payloads("long", 1000, [400 + 4 * n for n in range(80)] + [2000] * 20),
        *payloads("fits", 500, [440 + n % 50 for n in range(100)]),
        *payloads("roomy", 4000, [100 + n for n in range(100)]),
        *payloads("rare", 700, [300, 320, 900]),
        *payloads("all cut off", 50, [90] * 30),
    ]
    write(folder / "logs" / "calls.ndjson", *records)
    return folder


@pytest.fixture(scope="module")
def kept(gateway: Path) -> subprocess.CompletedProcess[str]:
    """The advice on it as JSON, with its database kept."""
    return advise(gateway, "logs", "--format", "json", "--db", "kept.duckdb")


def test_each_route_gets_its_advice(kept: subprocess.CompletedProcess[str]) -> None:
    """Counted by hand: the rate, the ceiling sent, and which way it has to go."""
    assert kept.returncode == 0, kept.stderr
    rows = {row["group"]: row for row in json.loads(kept.stdout)}
    facts = {
        name: (row["calls"], row["cut_off"], row["ceiling_sent"], row["verdict"], row["at_least"])
        for name, row in rows.items()
    }
    assert facts == {
        "long": (100, 20, 1000, "raise", True),
        "fits": (100, 0, 500, "leave", False),
        "roomy": (100, 0, 4000, "lower", False),
        "rare": (3, 1, 700, "raise", True),
        "all cut off": (30, 30, 50, "raise", True),
    }
    assert rows["all cut off"]["max_tokens"] > 50
    assert "none of its calls ended by itself" in rows["all cut off"]["note"]
    assert rows["long"]["cut_off_rate"] == 0.2
    assert rows["roomy"]["freed_tokens"] == 100 * (4000 - rows["roomy"]["max_tokens"])
    assert rows["roomy"]["max_tokens"] >= 199
    assert (
        "20 of 100 were cut off: how much longer they would have been cannot be seen yet"
        in rows["long"]["note"]
    )
    assert "only 2 of its calls ended by themselves, so wider groups count" in rows["rare"]["note"]
    assert rows["rare"]["reason"].startswith("1 of 3 was cut off")


def test_a_label_that_no_call_has_is_named(gateway: Path) -> None:
    """Else one group of all calls would look like the answer."""
    done = advise(gateway, "logs", "--group-by", "projct")
    assert done.returncode == 0, done.stderr
    assert "all calls" in done.stdout
    assert "no call says projct, so all of them are one group" in done.stderr


def test_a_floor_is_no_wider_group(tmp_path: Path) -> None:
    """Where no group has enough calls, the ceiling comes from the seeds; and what is left out."""
    failed = [record | {"status": "failure"} for record in payloads("chat", 400, [1, 1])]
    answered = [
        record | {"id": f"a{n}"} for n, record in enumerate(payloads("chat", 400, [900] * 9))
    ]
    write(tmp_path / "calls.ndjson", *answered, *failed)
    [row] = json.loads(advise(tmp_path, "calls.ndjson", "--format", "json").stdout)
    assert row["verdict"] == "raise"
    assert "none of its calls ended by itself, so a floor stands in" in row["note"]


def test_the_ceilings_are_those_of_the_marts(
    gateway: Path, kept: subprocess.CompletedProcess[str]
) -> None:
    """No second formula; and no text of a call is kept."""
    advised = {row["group"]: row["max_tokens"] for row in json.loads(kept.stdout)}
    with duckdb.connect(str(gateway / "kept.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "select category, max_tokens from marts.max_tokens"
            " where is_seen and complexity = 'all' and estimate_bin = 'all' and model = 'all'"
            " and input_bin = 'all' and category <> 'all' and max_truncation = 0.02"
        ).fetchall()
    assert dict(found) == advised
    assert SECRET.encode() not in (gateway / "kept.duckdb").read_bytes()


def test_the_table_is_for_people(gateway: Path) -> None:
    """What the source knows above it, the next command below it, and nothing left behind."""
    before = set(gateway.iterdir())
    done = advise(gateway, "logs")
    assert done.returncode == 0, done.stderr
    above, table, below = done.stdout.split("\n\n")
    assert above == (
        "litellm: 333 calls in 1 file from 2026-06-01 to 2026-06-01;"
        " ceiling 100 %, stop reason 100 %"
    )
    lines = table.splitlines()
    assert lines[0].split("  ")[0] == "group"
    assert "max_tokens at 2 %" in lines[0]
    [fits] = [line for line in lines if line.startswith("fits")]
    assert fits.split() == ["fits", "100", "0.0", "%", "500", "as", "it", "is"]
    [long] = [line for line in lines if line.startswith("long")]
    assert "20.0 %" in long
    assert "at least" in long
    assert below.startswith("let ceilings follow your logs: TOKENEST_TELEMETRY=")
    assert below.endswith("/logs/**/*.ndjson' tokenest build\n")
    assert set(gateway.iterdir()) == before


def test_a_ceiling_that_was_changed_is_the_new_one(tmp_path: Path) -> None:
    """Somebody did what was advised: most calls are older, and nobody is told to do it again."""
    older = payloads("chat", 4000, [100 + n for n in range(300)])
    newer = payloads("chat", 440, [100 + 2 * n for n in range(150)])
    for call in newer:
        call |= {"id": "newer " + call["id"], "endTime": call["endTime"] + 86_400}
    write(tmp_path / "calls.ndjson", *older, *newer)
    [row] = json.loads(advise(tmp_path, "calls.ndjson", "--format", "json").stdout)
    assert (row["calls"], row["ceiling_sent"], row["verdict"]) == (450, 440, "leave")


def test_groups_are_a_path_of_the_log_too(gateway: Path) -> None:
    """A member of the record that no field map knows; at another rate."""
    done = advise(
        gateway, "logs", "--group-by", "metadata.tenant.name", "--max-truncation", "0.07",
        "--format", "csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    head, *rows = [line.split(",") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["b", "a"]
    assert {row[head.index("max_truncation")] for row in rows} == {"0.07"}
    assert sum(int(row[head.index("calls")]) for row in rows) == 333


def test_without_evidence_nothing_is_safe(tmp_path: Path) -> None:
    """Calls that do not tell their end are unknown; what would help is said, and what is unread."""
    write(tmp_path / "all" / "p" / "s.jsonl", *(session(n, 900) for n in range(60)))
    write(tmp_path / "all" / "p" / "t.jsonl", session(5, 1, sessionId="t", requestId="q99"))
    write(tmp_path / "all" / "foreign.json", {"speaker": SECRET, "words": 4})
    (tmp_path / "all" / "calls.parquet").write_bytes(b"PAR1")
    done = advise(tmp_path, "all")
    assert done.returncode == 0, done.stderr
    above, table, below = done.stdout.split("\n\n")
    first, second = above.splitlines()
    assert first == (
        "claude_code: 61 calls in 2 files from 2026-06-01 to 2026-06-01;"
        " ceiling 0 %, stop reason 0 %, output counted in part 2 %"
    )
    assert second.startswith("not read: ")
    assert "no source knows its first record, which has speaker, words" in second
    assert "or write event records: occurred_at and actual_output_tokens are enough" in second
    assert "unknown" in table
    assert "no call says how it ended" in table
    assert "CLAUDE_CODE_ENABLE_TELEMETRY=1" in below
    assert "tokenest advise --max-tokens 32000 all\n" in below
    assert "tokenest import " in below
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            [f"in_a_log_{letter}" for letter in "abcdefghijkl"],
            ", which has in_a_log_a, in_a_log_b,",
        ),
        (["q1", "q2"], "; "),
    ],
)
def test_an_unknown_log_is_told_shortly(tmp_path: Path, names: list[str], told: str) -> None:
    """However many members its records have, and where none can be named."""
    write(tmp_path / "log.ndjson", dict.fromkeys(names, SECRET))
    done = advise(tmp_path, "log.ndjson")
    assert done.returncode != 0
    assert f"no source knows its first record{told}" in done.stderr
    _, _, said = done.stderr.partition("log.ndjson: ")
    assert len(said) <= 300


@pytest.mark.parametrize(
    "parts",
    [
        [
            {"id": "c", "object": "chat.completion.chunk", "created": 1780300801, "model": "m",
             "choices": [{"index": 0, "delta": {"content": SECRET}, "finish_reason": None}]},
        ],
        [
            {"type": "message_start", "message": {
                "id": "msg_1", "type": "message", "model": "m", "stop_reason": None,
                "usage": {"input_tokens": 9, "output_tokens": 1}}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
             "usage": {"output_tokens": 15}},
            {"type": "message_stop"},
        ],
    ],
)  # fmt: skip
def test_parts_of_a_stream_are_told(tmp_path: Path, parts: list[dict[str, Any]]) -> None:
    """What they are, and what to log in their place; not that nobody knows them."""
    write(tmp_path / "log.ndjson", *parts)
    done = advise(tmp_path, "log.ndjson")
    assert done.returncode != 0
    assert ": part of a stream); `tokenest import FILE` joins streams, or log" in done.stderr


def test_a_ceiling_that_is_none_cuts_nothing_off(tmp_path: Path) -> None:
    """-1 and 0 ask for as much as there is; why most of the other lines are not read is said."""
    asked: list[object] = [-1, 0, "-1", "inf", 10**20, -2.0, None, 500.0]
    records = [payloads(f"r{number}", 500, [100] * 5) for number in range(len(asked))]
    for ceiling, calls in zip(asked, records, strict=True):
        for call in calls:
            call["model_parameters"] = {"max_tokens": ceiling}
            call["response"] = {}
    unread = [*payloads("x", 500, [1] * 5), *payloads("y", 500, [1] * 2)]
    for call in unread[:5]:
        call["completion_tokens"] = "many"
    for call in unread[5:]:
        del call["endTime"]
    write(
        tmp_path / "logs" / "calls.ndjson", *(call for calls in records for call in calls), *unread
    )
    done = advise(tmp_path, "logs")
    assert done.returncode == 0, done.stderr
    above, table, _ = done.stdout.split("\n\n")
    first, second = above.splitlines()
    assert first.startswith("litellm: 40 calls in 1 file ")
    assert first.endswith("; ceiling 12 %, stop reason 0 %")
    assert second.startswith("7 lines of ")
    assert second.endswith(" cannot be read (5 of them wrong_type: actual_output_tokens)")
    _, *groups = table.splitlines()
    assert len([line for line in groups if "unknown" in line]) == len(asked) - 1
    [known] = [line for line in groups if "unknown" not in line]
    assert known.split()[:5] == ["r7", "5", "0.0", "%", "500"]


def test_no_name_beside_a_log_stops_it(tmp_path: Path) -> None:
    """DuckDB cannot list a folder that has a name which begins with a backslash."""
    write(tmp_path / "all" / "s.jsonl", *(session(n, 900) for n in range(60)))
    (tmp_path / "all" / "\\a.txt").write_bytes(b"x")
    done = advise(tmp_path, "all")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("claude_code: 60 calls in 1 file ")


def test_a_declared_ceiling_is_evidence(tmp_path: Path) -> None:
    """It stands apart from a recorded one, gives way to it, and makes known what is below it."""
    write(tmp_path / "s.jsonl", *(session(n, 900 + n) for n in range(60)))
    write(tmp_path / "e.ndjson", *(event(n) for n in range(60)))
    done = advise(tmp_path, "s.jsonl", "e.ndjson", "--max-tokens", "32000")
    assert done.returncode == 0, done.stderr
    assert "ceiling 0 %, ceiling assumed 100 %, stop reason 0 %" in done.stdout
    assert "ceiling 100 %, stop reason 100 %" in done.stdout
    [main] = [line for line in done.stdout.splitlines() if line.startswith("main")]
    assert "32000 assumed" in main
    assert "frees" in main


def event(number: int, **fields: object) -> dict[str, Any]:
    """A record of the project's own."""
    return {
        "event_id": f"e{number}", "occurred_at": f"2026-01-01T00:00:{number:02d}Z",
        "category": "c", "complexity": "low", "actual_output_tokens": 900,
        "actual_max_tokens": 4000, "stop_reason": "end_turn",
    } | fields  # fmt: skip


def test_what_a_full_window_cut_off_raises_no_ceiling(tmp_path: Path) -> None:
    """One answer in twenty says `length` at a tenth of its ceiling; the others end themselves."""
    write(
        tmp_path / "log.ndjson",
        *(
            event(
                n,
                occurred_at=f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z",
                actual_output_tokens=400 if n % 20 == 0 else 300 + n,
                actual_max_tokens=4000,
                stop_reason="length" if n % 20 == 0 else "stop",
            )
            for n in range(400)
        ),
    )
    done = advise(tmp_path, "log.ndjson", "--format", "json")
    [row] = json.loads(done.stdout)
    assert (row["cut_off"], row["verdict"]) == (20, "lower")
    assert 680 <= row["max_tokens"] <= 720
    assert row["reason"].endswith(
        "; 20 of 400 were cut off far below their ceiling, as by a full context window"
    )


def test_stop_words_that_nobody_knows_are_named(tmp_path: Path) -> None:
    """They are there: nobody is told to record them, but to say what the commonest means."""
    odd = "fin\x1b[31m" + "x" * 300
    words = ["finished_ok"] * 40 + [odd] * 20
    write(tmp_path / "s.ndjson", *(event(n, stop_reason=word) for n, word in enumerate(words)))
    done = advise(tmp_path, "s.ndjson")
    assert done.returncode == 0, done.stderr
    assert "stop reason 0 %, in words that are not known 100 %" in done.stdout
    assert (
        "tokenest: the stop word 'finished_ok' (and 1 other) is not known; say what it means in a"
        " row of seeds/vocabulary/stop_reasons.csv\n"
    ) in done.stdout
    assert "give the recorder" not in done.stdout
    write(tmp_path / "odd.ndjson", *(event(n, stop_reason=odd) for n in range(60)))
    done = advise(tmp_path, "odd.ndjson")
    [said] = [line for line in done.stdout.splitlines() if "the stop word" in line]
    assert said.isprintable()
    assert len(said) < 200


def test_calls_above_the_largest_budget_are_not_too_few(tmp_path: Path) -> None:
    """Nothing smaller is proposed for them, and the reason is said."""
    huge = {"actual_output_tokens": 2**31, "actual_max_tokens": 2**32}
    write(tmp_path / "s.ndjson", *(event(n, **huge) for n in range(60)))
    done = advise(tmp_path, "s.ndjson")
    assert done.returncode == 0, done.stderr
    [group] = [line for line in done.stdout.splitlines() if line.startswith("c / low")]
    assert "as it is" in group
    assert "such calls need more than the largest budget, 64000 tokens" in group
    cut = {"stop_reason": "max_tokens", "actual_output_tokens": 2**32}
    write(
        tmp_path / "cut.ndjson",
        *(event(n, **huge | (cut if n % 6 == 0 else {})) for n in range(60)),
    )
    done = advise(tmp_path, "cut.ndjson")
    [group] = [line for line in done.stdout.splitlines() if line.startswith("c / low")]
    assert "10 of 60 were cut off, and such calls need more than the largest budget" in group


def test_faults_are_one_line(gateway: Path, kept: subprocess.CompletedProcess[str]) -> None:
    """No file, no log, no call, a database of a build, a path that is none."""
    assert kept.returncode == 0
    (gateway / "empty").mkdir(exist_ok=True)
    write(gateway / "foreign.ndjson", {"speaker": "a"})
    several = "".join(json.dumps(call, indent=1) + "\n" for call in payloads("a", 9, [4, 5]))
    (gateway / "several.ndjson").write_text(several, encoding="utf-8")
    with duckdb.connect(str(gateway / "built.duckdb")) as connection:
        connection.execute("create schema origin; create table origin.scorecard_totals (a int)")
    cases = [
        (["nothing"], 2, "path='nothing' will not do; use a file or a folder that exists"),
        (["empty"], 4, "no log in empty: none of the files ends in .ndjson"),
        (["foreign.ndjson"], 4, "no call found; not read: "),
        (["several.ndjson"], 4, "not_json); what is no JSON object a line"),
        (["logs", "--db", "built.duckdb"], 1, "was made by `tokenest build`"),
        (["logs", "--db", "kept.duckdb", "--group-by", "a.b"], 1, "name a new file"),
        (["logs", "--group-by", "a;b"], 2, "group-by='a;b' will not do; use a label such as"),
    ]
    for arguments, code, message in cases:
        done = advise(gateway, *arguments)
        assert (done.returncode, done.stdout) == (code, ""), (arguments, done.stderr)
        [error] = [line for line in done.stderr.splitlines() if line.startswith("tokenest: ")]
        assert message in error


def test_the_example_runs() -> None:
    """A log that the README advises on: made anew, it is the same."""
    script = ROOT / "examples" / "gateway_log.py"
    once, twice = (
        subprocess.run([sys.executable, script], capture_output=True, check=True).stdout
        for _ in range(2)
    )
    assert once == twice
    assert len(once.splitlines()) == 1500


def test_a_file_of_another_form_says_what_reads_it(project: Project) -> None:
    """A list of event records in one line without an end, and one that is printed over lines."""
    calls = [json.loads(line(event_id=f"e-{number}")) for number in range(2)]
    for indent, said in ((None, "no whole line in "), (1, "not_json); what ")):
        log = project.telemetry("list.json")
        log.write_text(json.dumps(calls, indent=indent), encoding="utf-8")
        done = advise(project.folder, str(log))
        assert done.returncode == 4
        assert said in done.stderr
        assert done.stderr.endswith("; what is no JSON object a line, `tokenest import FILE` may"
                                    " read\n")  # fmt: skip
        built = project.tokenest("build", telemetry=str(log))
        assert built.returncode == 4
        assert built.stderr.endswith("`tokenest import FILE` may read\n")
        assert project.tokenest("import", str(log)).returncode == 0


def test_what_will_not_do_names_its_bound(project: Project) -> None:
    """And the option that is to be changed."""
    log = write(project.telemetry(), *payloads("chat", 4096, [100]))
    done = advise(project.folder, str(log), "--max-tokens", "99999999999999999999")
    assert done.returncode == 2
    assert "100000000" in done.stderr
    (project.folder / "text").write_text("no database", encoding="utf-8")
    done = advise(project.folder, str(log), "--db", "text")
    assert done.returncode == 1
    assert done.stderr.endswith("text is not a DuckDB database; name another --db\n")


def test_a_file_that_is_read_and_holds_no_call_says_why(tmp_path: Path) -> None:
    """The commonest reason that says something."""
    run = {"type": "result", "session_id": "s", "num_turns": 3, "usage": {"output_tokens": 9}}
    said = {"type": "assistant", "message": {"usage": {"output_tokens": 1}}}
    write(tmp_path / "run.jsonl", said, said, run)
    done = advise(tmp_path, "run.jsonl")
    assert done.returncode == 4
    assert "run.jsonl, read as answers (1 of 3 records: run of several calls)" in done.stderr


def test_what_smaller_ceilings_cut_off_is_said_of_one_that_stays(tmp_path: Path) -> None:
    """The commonest holds; who sends less is cut off, more often than was asked for."""
    small = {"actual_output_tokens": 300, "actual_max_tokens": 300, "stop_reason": "max_tokens"}
    usual = {"actual_max_tokens": 1000}
    ceilings = [small if n % 12 == 0 else usual for n in range(60)]
    write(tmp_path / "s.ndjson", *(event(n, **fields) for n, fields in enumerate(ceilings)))
    done = advise(tmp_path, "s.ndjson")
    assert done.returncode == 0, done.stderr
    [group] = [line for line in done.stdout.splitlines() if line.startswith("c / low")]
    assert "as it is" in group
    assert (
        "smaller ceilings cut off 5 of 60, and the commonest is near what such calls need" in group
    )


def test_reasoning_that_others_come_near_was_cut_off_by_its_ceiling(tmp_path: Path) -> None:
    """Answers of 100 to 4,000 tokens, and a tenth that still reasoned at 4,096."""
    cut = {"actual_output_tokens": 4096, "reasoning_tokens": 4096, "stop_reason": "max_tokens"}
    ended = (
        {"actual_output_tokens": 100 * (n % 40 + 1), "reasoning_tokens": 90} for n in range(60)
    )
    of_all = [cut if n % 10 == 0 else fields for n, fields in enumerate(ended)]
    write(
        tmp_path / "s.ndjson",
        *(event(n, actual_max_tokens=4096, **fields) for n, fields in enumerate(of_all)),
    )
    done = advise(tmp_path, "s.ndjson")
    [group] = [line for line in done.stdout.splitlines() if line.startswith("c / low")]
    assert re.search(r"10\.0 % +4096 +at least (4[1-9]|[5-9]\d)\d\d ", group), group
    assert "6 of 60 were cut off" in group
    assert "left out" not in group


def test_calls_that_reasoning_used_up_are_said_to_be_left_out(tmp_path: Path) -> None:
    """They neither failed nor were they filtered."""
    starved = {
        "actual_output_tokens": 4000, "reasoning_tokens": 4000, "stop_reason": "max_tokens",
    }  # fmt: skip
    write(tmp_path / "s.ndjson", *(event(n, **(starved if n % 6 == 0 else {})) for n in range(60)))
    done = advise(tmp_path, "s.ndjson")
    [group] = [line for line in done.stdout.splitlines() if line.startswith("c / low")]
    assert "10 calls left out: failed, filtered, cut off by reasoning alone, or not" in group
