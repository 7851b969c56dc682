"""`/v1/traces` and `/v1/logs`: the SDK's exporter, curl, the source's sample; landed as calls."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import random
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import json_format
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from dbt_project import ROOT, Project
from serving import Service, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SOURCE = ROOT / "models" / "staging" / "otel"
PROTOBUF = {"content-type": "application/x-protobuf"}
CANARY = "canary-5e2a"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with a folder of its own."""
    with serving(tmp_path) as running:
        yield running


def span(**attributes: str | int) -> dict[str, Any]:
    """A span of a call in JSON."""
    values = {"gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": 7} | attributes
    return {
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": "00000000000000a1",
        "endTimeUnixNano": "1777890002500000000",
        "attributes": [
            {"key": k, "value": {"stringValue": v} if isinstance(v, str) else {"intValue": v}}
            for k, v in values.items()
        ],
    }


def request(*spans: object) -> dict[str, Any]:
    """A request with these spans."""
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": list(spans)}]}]}


def landed(service: Service) -> Project:
    """The service's files as calls."""
    assert service.stop() == 0
    project = Project(service.folder)
    project.build("stg_otel__events", "files")
    return project


def test_the_exporter_of_the_sdk(tmp_path: Path) -> None:
    """GenAI spans in batches, by gzip, with a prompt in them; and a tree with an agent on top."""
    with serving(tmp_path) as service:
        exporter = OTLPSpanExporter(f"{service.url}/v1/traces", compression=Compression.Gzip)
        provider = TracerProvider(resource=Resource({"service.name": "desk", "host": CANARY}))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        tracer = provider.get_tracer("app")
        for number in range(600):
            with (
                tracer.start_as_current_span(f"GET {CANARY}"),
                tracer.start_as_current_span(
                    f"invoke_agent {CANARY}", attributes={"gen_ai.agent.name": "triage"}
                ),
                tracer.start_as_current_span("chat gpt-6") as call,
            ):
                call.set_attributes({
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-6",
                    "gen_ai.request.max_tokens": 2000,
                    "gen_ai.usage.input_tokens": 800,
                    "gen_ai.usage.output_tokens": 100 + number,
                    "gen_ai.response.finish_reasons": ["stop"],
                    "gen_ai.input.messages": f"{CANARY} " * 50,
                    "gen_ai.output.messages": CANARY,
                })  # fmt: skip
        assert provider.force_flush()
        provider.shutdown()
        files = list((tmp_path / "telemetry").iterdir())
        assert all(path.name.startswith("otlp-") for path in files)
        assert CANARY not in "".join(path.read_text() for path in files)
        assert CANARY not in service.log
        project = landed(service)
    assert project.rows(
        "select count(*), count(distinct event_id), min(category), min(model), max(input_tokens),"
        " max(actual_max_tokens), sum(actual_output_tokens), min(stop_reason)"
        " from staging.stg_otel__events"
    ) == [(600, 600, "triage", "gpt-6", 800, 2000, 600 * 100 + 600 * 599 // 2, "stop")]


def test_the_sample_of_the_source_lands_as_it_does_from_a_file(tmp_path: Path) -> None:
    """In JSON and, converted, in protobuf: the expected events, column by column."""
    lines = (SOURCE / "sample.ndjson").read_text().splitlines()
    with serving(tmp_path) as service:
        statuses = []
        for number, line in enumerate(filter(None, lines)):
            kind = "logs" if "resourceLogs" in line else "traces"
            body: bytes | str = line
            if number % 2 and number < 5:
                message = ExportLogsServiceRequest() if kind == "logs" else (
                    ExportTraceServiceRequest()
                )  # fmt: skip
                # ids are hexadecimal in OTLP's JSON, and base64 in protobuf's own
                body = json_format.Parse(_with_base64_ids(line), message).SerializeToString()
            headers = PROTOBUF if isinstance(body, bytes) else None
            statuses.append(service.ask("POST", f"/v1/{kind}", body, headers).status)
        assert statuses == [200] * 6 + [400, 200, 200]
        assert "canary" not in json.dumps(service.lines())
        project = landed(service)
    with (SOURCE / "expected.csv").open(newline="") as file:
        expected = list(csv.DictReader(file))
    columns = ", ".join(f"cast({name} as varchar)" for name in expected[0])
    found = project.rows(f"select {columns} from staging.stg_otel__events order by event_id")
    assert found == [tuple(value or None for value in row.values()) for row in expected]


def _with_base64_ids(line: str) -> str:
    return re.sub(
        r'("(?:traceId|spanId|parentSpanId)": )"([0-9a-fA-F]*)"',
        lambda found: f'{found[1]}"{base64.b64encode(bytes.fromhex(found[2])).decode()}"',
        line,
    )


def test_curl_posts_json(service: Service) -> None:
    """As from any language."""
    done = subprocess.run(
        ["curl", "-sS", "-H", "content-type: application/json", "-d", json.dumps(request(span())),
         f"{service.url}/v1/traces"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "{}"
    assert len(service.lines()) == 1


def test_only_what_the_source_maps_is_written(service: Service) -> None:
    """No other attribute, no long text, no member of a text that holds a request."""
    asked = json.dumps({"max_tokens": 50, "stop": CANARY, "max_completion_tokens": CANARY})
    sent = span(
        **{
            "gen_ai.input.messages": CANARY,
            "gen_ai.request.model": f"{CANARY} " * 30,
            "llm.invocation_parameters": asked,
            "gen_ai.response.model": "m",
        }
    ) | {"name": f"chat {CANARY}", "status": {"code": 2, "message": CANARY}, "events": [CANARY]}
    sent["attributes"] += [
        {"key": "gen_ai.response.model", "value": {"stringValue": "a second one"}},
        {"key": "error.type", "value": {"kvlistValue": {"values": [CANARY]}}},
        {"key": "session.id", "value": {"arrayValue": {"values": [{"stringValue": CANARY * 40}]}}},
    ]
    plain = span() | {"spanId": "00000000000000a2"}
    plain["attributes"] = [{"key": "http.url", "value": {"stringValue": CANARY}}]
    assert service.ask("POST", "/v1/traces", request(sent, plain)).json == {}
    [line] = service.lines()
    [written] = line["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert CANARY not in json.dumps(line)
    assert {item["key"]: item["value"] for item in written["attributes"]} == {
        "gen_ai.operation.name": {"stringValue": "chat"},
        "gen_ai.usage.output_tokens": {"intValue": 7},
        "llm.invocation_parameters": {"stringValue": '{"max_tokens": 50}'},
        "gen_ai.response.model": {"stringValue": "m"},
        "session.id": {"arrayValue": {"values": []}},
    }
    assert written["status"] == {"code": 2}
    assert "name" not in written


def test_partial_success_in_both_forms(service: Service) -> None:
    """A record without ids or a time is rejected; the rest is taken."""
    broken = [
        span() | {"traceId": "00" * 16},
        span() | {"spanId": "zz"},
        span() | {"endTimeUnixNano": "0"},
        span() | {"traceId": None},
    ]
    answer = service.ask("POST", "/v1/traces", request(*broken, span()))
    assert answer.status == 200
    partial = answer.json["partialSuccess"]
    assert partial["rejectedSpans"] == "4"
    assert partial["errorMessage"]
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, end_time_unix_nano=5)
    spans.add(trace_id=b"short", span_id=b"\2" * 8, end_time_unix_nano=5)
    answer = service.ask("POST", "/v1/traces", message.SerializeToString(), PROTOBUF)
    assert answer.headers["content-type"] == "application/x-protobuf"
    said = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (said.rejected_spans, said.error_message) == (1, partial["errorMessage"])
    logs: dict[str, Any] = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {}}]}]}]}
    answer = service.ask("POST", "/v1/logs", logs)
    assert answer.json["partialSuccess"]["rejectedLogRecords"] == "1"
    assert len(service.lines()) == 1


def test_hostile_requests_get_400_in_json(service: Service) -> None:
    """And nothing is written; the bounds are those of every body."""
    chance = random.Random(7)
    whole = gzip.compress(json.dumps(request(span())).encode())
    for path in ("/v1/traces", "/v1/logs"):
        for body in (
            b"", b"\xff", b"[]", b"[" * 50_000, b'{"resourceSpans":{},"resourceLogs":{}}',
            b'{"resourceSpans":[7],"resourceLogs":[7]}',
            (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":7}]}]}],'
             b'"resourceLogs":[{"scopeLogs":7}]}'),
        ):  # fmt: skip
            answer = service.ask("POST", path, body)
            assert (answer.status, bool(answer.json["message"])) == (400, True), body
        for _ in range(50):
            body = chance.randbytes(chance.randrange(10, 400))
            assert service.ask("POST", path, body, PROTOBUF).status in {200, 400}
        assert service.ask("POST", path, whole[:-3], {"content-encoding": "gzip"}).status == 400
    many = request(*[span()] * 10_001)
    packed = gzip.compress(json.dumps(many).encode())
    assert service.ask("POST", "/v1/traces", packed, {"content-encoding": "gzip"}).status == 413
    assert service.lines() == []
    assert "unexpected" not in service.log


def test_what_would_cost_a_line_is_replaced(service: Service) -> None:
    """A lone surrogate or a control character, which landing refuses; a number that is none."""
    body = json.dumps(request(span(**{"gen_ai.request.model": "m\ud800\x00"})))
    infinite = body.replace('{"intValue": 7}', '{"doubleValue": 1e999}')
    assert infinite != body
    for sent in (body, infinite):
        assert service.ask("POST", "/v1/traces", sent).json == {}
    [line] = service.lines()  # the second says no output
    [written] = line["resourceSpans"][0]["scopeSpans"][0]["spans"]
    values = {item["key"]: item["value"] for item in written["attributes"]}
    assert values["gen_ai.request.model"] == {"stringValue": "m\ufffd\ufffd"}


def test_a_large_request_is_cut_into_lines_that_land(service: Service) -> None:
    """No line is longer than landing takes, whatever a span holds."""
    texts = {
        f"gen_ai.{name}": "x" * 200
        for name in ("request.model", "response.model", "response.id", "conversation.id")
    }
    spans = [
        span(**texts) | {"spanId": f"{number:016x}"} for number in range(1, 3001)
    ]  # fmt: skip
    packed = gzip.compress(json.dumps(request(*spans)).encode())
    assert service.ask("POST", "/v1/traces", packed, {"content-encoding": "gzip"}).json == {}
    [file] = (service.folder / "telemetry").iterdir()
    sizes = [len(line) for line in file.read_bytes().splitlines()]
    assert len(sizes) > 5
    assert max(sizes) < 300_000
    found = sum(len(line["resourceSpans"][0]["scopeSpans"][0]["spans"]) for line in service.lines())
    assert found == 3000
