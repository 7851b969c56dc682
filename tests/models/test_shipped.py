"""Lines that a log shipper wrapped give the calls of the program that wrote them."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import ROOT, Project
from tokenest_py.pipeline.importing.importing import import_file
from tokenest_py.pipeline.importing.mapped import read_sources, sources
from tokenest_py.pipeline.importing.shipped import read_shippers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

Record = dict[str, Any]
SECRET = "canary-3c9e"
START = datetime(2026, 6, 1, 8, tzinfo=UTC)
CALLS = 3
END = "\n"
OTHERS = ("Starting worker", json.dumps({"level": "info", "msg": f"GET /{SECRET}"}))


def moment(call: int) -> datetime:
    """When a call ended."""
    return START + timedelta(minutes=call)


def iso(call: int) -> str:
    """Its time as most programs write it."""
    return moment(call).isoformat().replace("+00:00", "Z")


def microseconds(call: int) -> int:
    """Its time as journald counts it."""
    return int(moment(call).timestamp()) * 1_000_000


def record(call: int) -> Record:
    """A call as a program logs it, without a time of its own."""
    return {
        "id": f"@name@-{call}",
        "model": "gpt-6",
        "max_tokens": 77,
        "completion_tokens": 12 + call,
        "finish_reason": "length",
        "prompt": f'say "{SECRET}" {{"x": 1}}\n\\ grüße',
    }


def text(call: int) -> str:
    """The same as the text of a line."""
    return json.dumps(record(call))


def parts(name: str) -> Iterator[tuple[int, str]]:
    """Each call and a part of its line, which are shorter the later it is."""
    for call in range(CALLS):
        line, length = text(call).replace("@name@", name) + END, 60 // 3**call
        for start in range(0, len(line), length):
            yield call, line[start : start + length]


def each(entry: Callable[[int, str], Record]) -> list[str]:
    """A line for each call and for what else the program wrote, as an entry of a shipper."""
    texts = [*((call, text(call)) for call in range(CALLS)), *((0, other) for other in OTHERS)]
    return [json.dumps(entry(call, written)) for call, written in texts]


def entries(call: int, written: str) -> Record:
    """An event of CloudWatch."""
    return {"timestamp": microseconds(call) // 1000, "message": written + "\n"}


LISTED = [entries(call, text(call)) for call in range(CALLS)]
SHIPPED: dict[str, list[str]] = {
    "docker": each(lambda call, log: {"log": log + "\n", "stream": "stdout", "time": iso(call)}),
    "log4j": each(lambda call, log: {
        "instant": {"epochSecond": microseconds(call) // 1_000_000, "nanoOfSecond": 0},
        "level": "INFO", "loggerName": "app", "message": log,
    }),
    "log4j_older": each(
        lambda call, log: {"timeMillis": microseconds(call) // 1000, "message": log}
    ),
    "kafka": each(lambda call, log: {
        "topic": "calls", "offset": call, "ts": microseconds(call) // 1000, "payload": log,
    }),
    # lines that the runtime of a container cut
    "docker_cut": [
        json.dumps({"log": part, "stream": "stdout", "time": iso(call)}, separators=(",", ":"))
        for call, part in parts("docker_cut")
    ],
    "kubernetes_cut": [
        f"{iso(call)} stdout {'F' if part.endswith(END) else 'P'} {part.removesuffix(END)}"
        for call, part in parts("kubernetes_cut")
    ],
    # and what the program said on its other stream in the meantime, itself cut or not
    "docker_between_cut": [
        json.dumps({"log": log, "stream": stream, "time": iso(call)}, separators=(",", ":"))
        for call, part in parts("docker_between_cut")
        for log, stream in [(part, "stdout"), (f"a note{END * (call > 0)}", "stderr")]
    ],
    "kubernetes_between_cut": [
        f"{iso(call)} {stream} {'F' if log.endswith(END) else 'P'} {log.removesuffix(END)}"
        for call, part in parts("kubernetes_between_cut")
        for log, stream in [(part, "stderr"), (f"a note{END * (call > 0)}", "stdout")]
    ],
    "fluentd": each(lambda call, log: {"log": log, "stream": "stdout", "time": iso(call)}),
    "fluent_bit": each(lambda call, log: {"@timestamp": iso(call), "log": log, "kubernetes": {}}),
    "journald": [
        *each(
            lambda call, log: {"__REALTIME_TIMESTAMP": str(microseconds(call)), "MESSAGE": log}
        ),
        # what is no UTF-8 is a list of bytes there
        json.dumps({"__REALTIME_TIMESTAMP": "1", "MESSAGE": [27, 91]}),
    ],
    "insights": each(lambda call, log: {"@timestamp": iso(call), "@message": log}),
    "vector": each(lambda call, log: {"message": log, "timestamp": iso(call), "host": "h"}),
    "loki": each(lambda call, log: {"line": log, "timestamp": str(1000 * microseconds(call))}),
    "azure": each(lambda call, log: {"TimeGenerated": iso(call), "LogMessage": log}),
    "azure_object": [
        json.dumps({"TimeGenerated": iso(call), "LogMessage": record(call)})
        for call in range(CALLS)
    ],
    "google": [
        json.dumps({"logName": "l", "jsonPayload": record(call), "timestamp": iso(call)})
        for call in range(CALLS)
    ],
    "google_list": [
        json.dumps([{"jsonPayload": record(call), "timestamp": iso(call)} for call in range(CALLS)])
    ],
    "elastic": [
        json.dumps({"_index": "i", "_source": {"@timestamp": iso(call), "message": text(call)}})
        for call in range(CALLS)
    ],
    "elastic_hits": [
        json.dumps({"hits": {"hits": [
            {"_source": {"@timestamp": iso(call), "message": text(call)}} for call in range(CALLS)
        ]}})
    ],
    "loguru": [
        json.dumps({"text": "call", "record": {
            "extra": record(call), "time": {"timestamp": moment(call).timestamp()},
        }})
        for call in range(CALLS)
    ],
    "loguru_message": [
        json.dumps({"text": "call", "record": {
            "extra": {}, "message": text(call), "time": {"timestamp": moment(call).timestamp()},
        }})
        for call in range(CALLS)
    ],
    "splunk": each(
        lambda call, log: {"preview": False, "result": {"_raw": log, "_time": iso(call)}}
    ),
    "splunk_list": [
        json.dumps({"results": [{"_raw": text(call), "_time": iso(call)} for call in range(CALLS)]})
    ],
    "firehose": [json.dumps({"messageType": "DATA_MESSAGE", "logEvents": LISTED})],
    "logging": [
        *(f"{moment(call):%Y-%m-%d %H:%M:%S},000 INFO llm: {text(call)}" for call in range(CALLS)),
        f"2026-06-01 08:00:00,000 INFO llm: {SECRET}",
        "Traceback (most recent call last):",
    ],
    "monolog": [f"[{iso(call)}] app.INFO: llm {text(call)} []" for call in range(CALLS)],
    "compose": [f"\x1b[36mweb-1  |\x1b[0m {iso(call)} {text(call)}" for call in range(CALLS)],
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A build of a log of each shipper, the last half of which came after a first build."""
    project = Project(tmp_path_factory.mktemp("shipped"))
    logs = {
        f"{name}.ndjson": [line.replace("@name@", name) + "\n" for line in lines]
        for name, lines in SHIPPED.items()
    }
    for name, lines in logs.items():
        project.telemetry(name).write_text(lines[0], encoding="utf-8")
    document = json.dumps({"events": LISTED, "nextForwardToken": "f/1"}, indent=4)
    project.telemetry("events.json").write_text(document, encoding="utf-8")
    packed = "".join(f"{iso(call)} {text(call)}\n" for call in range(CALLS))
    packed = packed.replace("@name@", "packed")
    project.telemetry("export.gz").write_bytes(gzip.compress(packed.encode()))
    telemetry = f"{project.telemetry().parent}/*"
    project.build(telemetry=telemetry)
    for name, lines in logs.items():
        with project.telemetry(name).open("a", encoding="utf-8") as log:
            log.writelines(lines[1:])
    project.build(telemetry=telemetry)
    return project


@pytest.mark.parametrize(
    "name", [*(f"{name}.ndjson" for name in SHIPPED), "events.json", "export.gz"]
)
def test_each_gives_the_calls_of_the_program(built: Project, name: str) -> None:
    """With the time that the shipper knows, and the rest as other lines."""
    calls = built.rows(
        "select occurred_at, model, actual_max_tokens, actual_output_tokens, stop_reason"
        " from staging.stg_answers__events where ends_with(source_file, ?) order by occurred_at",
        f"/{name}",
    )
    assert calls == [
        (moment(call).replace(tzinfo=None), "gpt-6", 77, 12 + call, "length")
        for call in range(CALLS)
    ]
    [(quarantined,)] = built.rows(
        "select quarantined from marts.files where ends_with(source_file, ?)", f"/{name}"
    )
    assert quarantined == 0


def test_import_finds_the_same_calls(tmp_path: Path) -> None:
    """Of what is JSON: it reads the files that a build cannot."""
    known, shippers = read_sources(ROOT, sources(ROOT)), read_shippers(ROOT)
    for name, lines in SHIPPED.items():
        if lines[0].startswith("{") and not name.endswith("_cut"):
            path = tmp_path / f"{name}.json"
            path.write_text("\n".join(lines), encoding="utf-8")
            done = import_file(path, tmp_path / "telemetry", known, shippers, lambda: None)
            assert dict(done.lines) == {"answers": CALLS}, name
            [target] = done.written
            records = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
            assert [record["completion_tokens"] for record in records] == [12, 13, 14]
            assert all("@timestamp" in record for record in records)
            assert SECRET not in target.read_text("utf-8")


def test_nothing_of_a_prompt_is_stored(built: Project) -> None:
    """Neither of a call nor of what else the program wrote."""
    assert SECRET.encode() not in built.database.read_bytes()


def test_broken_entries_cost_themselves(tmp_path: Path) -> None:
    """Lines that lost, gained or changed characters: none ends the build, none is lost."""
    project, random = Project(tmp_path), Random(7)
    whole = [line for lines in SHIPPED.values() for line in lines]
    broken = []
    for number in range(2000):
        characters = list(whole[number % len(whole)])
        for _ in range(random.randint(1, 3)):
            place = random.randrange(len(characters))
            characters[place : place + random.randint(0, 2)] = random.choice(["", *'{}[]":,\\ 0'])
        broken.append("".join(characters))
    log = "\n".join([whole[0], *broken, whole[-1]]) + "\n"
    project.telemetry("broken.log").write_text(log, encoding="utf-8")
    project.build(telemetry=str(project.telemetry("broken.log")))
    [(lines, of_all)] = project.rows(
        "select lines, accepted + duplicate + quarantined + blank + other from marts.files"
    )
    assert lines == of_all == len(broken) + 2
    kept = project.rows("select model, actual_output_tokens from staging.stg_answers__events")
    assert kept.count(("gpt-6", 12)) >= 1


def test_what_holds_a_count_is_a_record_itself(tmp_path: Path) -> None:
    """An answer under a shipper's word hides no call; of lines of text a torn record is told."""
    project = Project(tmp_path)
    own = record(1) | {"timestamp": iso(1), "message": json.dumps({"answer": 42, "model": "other"})}
    project.telemetry("own.ndjson").write_text(json.dumps(own) + "\n", encoding="utf-8")
    prefixed = f"\nINFO {text(0)}\nINFO started\nINFO {text(1)[:-1]}\n"
    project.telemetry("text.ndjson").write_text(prefixed, encoding="utf-8")
    project.build()
    assert project.rows(
        "select model, actual_output_tokens from staging.stg_answers__events order by 2"
    ) == [("gpt-6", 12), ("gpt-6", 13)]
    assert project.rows(
        "select line_no, reject_reason, line_text from staging.base_answers__lines"
        " where reject_reason is not null order by 1"
    ) == [(4, "not_json", None)]
