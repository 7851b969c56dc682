"""Records in another program's shape: which calls are in them, and that nothing is read twice."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import ROOT
from tokenest_py.pipeline.importing.importing import Imported, import_file
from tokenest_py.pipeline.importing.mapped import read_sources, sources
from tokenest_py.pipeline.importing.shipped import read_shippers

if TYPE_CHECKING:
    from pathlib import Path

Record = dict[str, Any]

SECRET = "canary-3c1e"
SOURCES = read_sources(ROOT, sources(ROOT))
SHIPPERS = read_shippers(ROOT)
TIME = "2026-06-01T08:00:00Z"
START, MICROS = 1780300800000000, 2000000
CALL = {"model": "m", "completion_tokens": 12, "finish_reason": "length"}
SPAN = {
    "gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
    "gen_ai.request.max_tokens": 12, "gen_ai.usage.output_tokens": 12,
}  # fmt: skip
SPANNED = {"trace_id": "t", "span_id": "s", "service_name": "shop", "attributes": SPAN}
ENDED = {"end_time": START + MICROS}
ANSWER = {
    "id": "chatcmpl-1", "choices": [{"finish_reason": "length", "message": SECRET}],
    "usage": {"completion_tokens": 12},
}  # fmt: skip

ASKED = {"model": "m", "max_tokens": 12, "messages": [SECRET]}
EXCHANGE = {
    "timestamp": TIME, "request": {"model": "m", "max_tokens": 12},
    "response": ANSWER | {"choices": [{"finish_reason": "length"}]},
}  # fmt: skip
AZURE = {
    "timestamp": TIME, "id": "s", "operation_Id": "t", "target": SECRET, "cloud_RoleName": "shop",
    "customDimensions": json.dumps(SPAN),
}  # fmt: skip


def mlflow(kind: str, span_id: str, parent: str | None = None) -> Record:
    """A span of MLflow, each of whose attributes is a text of JSON."""
    attributes = {
        "mlflow.spanType": kind,
        "mlflow.spanInputs": {"model": "m", "max_tokens": 12, "messages": [SECRET]},
        "mlflow.spanOutputs": ANSWER,
    }
    return {
        "span_id": span_id, "parent_span_id": parent, "end_time_unix_nano": START * 1000,
        "attributes": {name: json.dumps(value) for name, value in attributes.items()},
    }  # fmt: skip


def mastra(kind: str, span_id: str, parent: str | None = None, **asked: object) -> Record:
    """A span of Mastra: a generation counts its steps once more, and each of them its inference."""
    usage = {"inputTokens": 9, "outputTokens": 12, "outputDetails": {"reasoning": 4}}
    return {
        "traceId": "t", "spanId": span_id, "parentSpanId": parent, "spanType": kind,
        "startedAt": TIME, "endedAt": TIME, "input": SECRET,
        "attributes": {"usage": usage, "finishReason": "length", **asked},
    }  # fmt: skip


# by its name, what a file holds and the source and members of its one call
SHAPES: dict[str, tuple[object, str, Record]] = {
    "jaeger": (
        {"data": [{
            "traceID": "t",
            "spans": [{
                "traceID": "t", "spanID": "s", "processID": "p1", "startTime": START,
                "duration": MICROS,
                "tags": [{"key": key, "value": value} for key, value in SPAN.items()],
            }],
            "processes": {"p1": {"serviceName": "shop"}},
        }], "total": 0, "limit": 0, "offset": 0, "errors": None},
        "openinference", SPANNED | ENDED,
    ),
    "zipkin": (
        [[{
            "traceId": "t", "id": "s", "timestamp": START, "duration": MICROS, "tags": SPAN,
            "localEndpoint": {"serviceName": "shop"},
        }]],
        "openinference", SPANNED | ENDED,
    ),
    "tempo": ({"batches": [{"scopeSpans": []}]}, "otel", {"resourceSpans": [{"scopeSpans": []}]}),
    "mlflow": (
        {"info": {}, "data": {"spans": [
            mlflow("AGENT", "a"), mlflow("CHAT_MODEL", "b", "a"), mlflow("CHAT_MODEL", "c", "b"),
        ]}},
        "answers",
        {
            "timestamp": START * 1000, "model": "m", "request": {"model": "m", "max_tokens": 12},
            "response": {
                "id": "chatcmpl-1", "choices": [{"finish_reason": "length"}],
                "usage": {"completion_tokens": 12},
            },
        },
    ),
    "mastra": (
        {"traceId": "t", "spans": [
            mastra("agent_run", "a"),
            mastra("model_generation", "b", "a", model="m", parameters={"maxOutputTokens": 12}),
            mastra("model_step", "c", "b"),
            mastra("model_inference", "d", "c"),
        ]},
        "answers",
        {
            "timestamp": TIME, "trace_id": "t", "model": "m", "finishReason": "length",
            "parameters": {"maxOutputTokens": 12},
            "usage": {"inputTokens": 9, "outputTokens": 12, "reasoningTokens": 4},
        },
    ),
    "promptfoo": (
        {"results": {
            "timestamp": TIME,
            "results": [{
                "provider": {"id": "openai:chat:m"}, "prompt": {"raw": SECRET},
                "response": {
                    "output": SECRET, "finishReason": "length", "cached": False,
                    "tokenUsage": {
                        "prompt": 9, "completion": 12, "completionDetails": {"reasoning": 4},
                    },
                },
            }],
            "stats": {"tokenUsage": {"completion": 99}},
        }},
        "answers",
        {**CALL, "timestamp": TIME, "prompt_tokens": 9, "reasoning_tokens": 4, "cached": False},
    ),
    "cline": (
        [{"ts": 1, "say": "api_req_started", "modelInfo": {"modelId": "m"}, "text": json.dumps(
            {"request": SECRET, "tokensIn": 9, "cacheReads": 3, "tokensOut": 12}
        )}],
        "answers", {"timestamp": 1, "model": "m", "input_tokens": 12, "output_tokens": 12},
    ),
    "roo": (
        [{"ts": 1, "say": "api_req_started", "text": json.dumps(
            {"apiProtocol": "anthropic", "tokensIn": 9, "cacheReads": 3, "tokensOut": 12}
        )}],
        "answers", {"timestamp": 1, "input_tokens": 12, "output_tokens": 12},
    ),
    "a trajectory": (
        {"schema_version": "ATIF-v1.4", "session_id": "s", "agent": {"name": SECRET}, "steps": [
            {"step_id": 1, "source": "user", "timestamp": TIME, "message": SECRET},
            {"step_id": 2, "source": "agent", "timestamp": TIME, "message": SECRET,
             "model_name": "m", "metrics": {"completion_tokens": 12, "cost_usd": 0.1}},
        ], "final_metrics": {"total_completion_tokens": 12}},
        "answers",
        {"session_id": "s", "step_id": 2, "timestamp": TIME, "model_name": "m",
         "metrics": {"completion_tokens": 12}},
    ),
    "kong": (
        {"started_at": 1, "request": {"uri": SECRET}, "response": {"status": 200}, "ai": {"proxy": {
            "meta": {"request_model": "m", "plugin_id": SECRET},
            "usage": {"completion_tokens": 12},
            "payload": {"request": json.dumps({"max_tokens": 12, "messages": SECRET})},
        }}},
        "answers",
        {"started_at": 1, "meta": {"request_model": "m"}, "usage": {"completion_tokens": 12},
         "payload": {"request": '{"max_tokens": 12}'}},
    ),
    "names of .NET": (
        {"Timestamp": TIME, "ModelId": "m", "FinishReason": "length",
         "Usage": {"InputTokenCount": 9, "OutputTokenCount": 12}, "Prompt": SECRET},
        "answers",
        {"timestamp": TIME, "model_id": "m", "finish_reason": "length",
         "usage": {"input_tokens": 9, "output_tokens": 12}},
    ),
    "names with hyphens": (
        {"timestamp": TIME, "model": "m", "completion-tokens": 12, "finish-reason": "length"},
        "answers", CALL | {"timestamp": TIME},
    ),
    "a log record of OpenTelemetry's console": (
        {"hrTime": [1780272000, 5], "_body": SECRET, "resource": {"attributes": {"host": SECRET}},
         "attributes": {
            "event.name": "gemini_cli.api_response", "model": "gpt-6", "output_token_count": 12,
            "finish_reasons": ["STOP"], "response_text": SECRET,
        }},
        "otel", {"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [{"logRecords": [{
            "timeUnixNano": "1780272000000000005", "attributes": [
                {"key": "event.name", "value": {"stringValue": "gemini_cli.api_response"}},
                {"key": "model", "value": {"stringValue": "gpt-6"}},
                {"key": "output_token_count", "value": {"stringValue": "12"}},
                {"key": "finish_reasons",
                 "value": {"arrayValue": {"values": [{"stringValue": "STOP"}]}}},
            ],
        }]}]}]},
    ),
    "a span of Datadog": (
        {"id": "1", "type": "span", "attributes": {
            "span_kind": "llm", "ml_app": "shop", "model_name": "m", "start_ns": 1780300800000,
            "input": {"value": SECRET}, "metrics": {"input_tokens": 9, "output_tokens": 12},
        }},
        "answers",
        {"span_kind": "llm", "ml_app": "shop", "model_name": "m", "start_ns": 1780300800000,
         "input": {}, "metrics": {"input_tokens": 9, "output_tokens": 12}},
    ),
    "an answer of SGLang": (
        {"text": SECRET, "meta_info": {
            "id": "a", "finish_reason": {"type": "length", "length": 12},
            "prompt_tokens": 9, "completion_tokens": 12,
        }},
        "answers",
        {"id": "a", "finish_reason": {"type": "length"},
         "prompt_tokens": 9, "completion_tokens": 12},
    ),
    "a dependency of Application Insights": (
        {"tables": [{
            "name": "PrimaryResult",
            "columns": [{"name": name} for name in AZURE],
            "rows": [list(AZURE.values())],
        }]},
        "openinference", SPANNED | {"end_time": TIME},
    ),
    "one as a workspace has it": (
        [{"TimeGenerated": TIME, "OperationId": "t", "Id": "s", "AppRoleName": "shop",
          "Properties": json.dumps(SPAN | {"gen_ai.input.messages": SECRET})}],
        "openinference", SPANNED | {"end_time": TIME},
    ),
    "what CloudWatch's query answers": (
        {"status": "Complete", "results": [[
            {"field": "@timestamp", "value": TIME},
            {"field": "@message", "value": json.dumps(CALL | {"prompt": SECRET})},
        ]]},
        "answers", {"@timestamp": TIME} | CALL,
    ),
    "what Loki's query answers": (
        {"status": "success", "data": {"resultType": "streams", "result": [
            {"stream": {"app": SECRET}, "values": [[TIME, json.dumps(CALL)], ["1"]]},
        ]}},
        "answers", {"@timestamp": TIME} | CALL,
    ),
    "columns of Logfire": (
        {"columns": [
            {"name": "end_timestamp", "values": [TIME]}, {"name": "trace_id", "values": ["t"]},
            {"name": "span_id", "values": ["s"]}, {"name": "service_name", "values": ["shop"]},
            {"name": "attributes", "values": [SPAN]}, {"name": "message", "values": [SECRET]},
        ]},
        "openinference", SPANNED | {"end_timestamp": TIME},
    ),
    "a HAR": (
        {"log": {"entries": [
            {"startedDateTime": TIME, "time": 900.5, "request": {"url": SECRET},
             "response": {"status": 200, "content": {"mimeType": "text/css", "text": SECRET}}},
            {"startedDateTime": TIME, "request": {"postData": {"text": json.dumps(ASKED)}},
             "response": {"content": {"text": json.dumps(ANSWER)}}},
        ]}},
        "answers", EXCHANGE,
    ),
    "an exchange of HTTP": (
        {"timestamp": TIME, "request": {"method": "POST", "body": ASKED},
         "response": {"status": 200, "body": ANSWER}},
        "answers", EXCHANGE,
    ),
    "a response of Spring AI": (
        {"metadata": {"id": "chatcmpl-1", "model": "m", "usage": {"completionTokens": 12}},
         "results": [{"output": {"text": SECRET}, "metadata": {"finishReason": "LENGTH"}}]},
        "answers",
        {"id": "chatcmpl-1", "model": "m", "usage": {"completionTokens": 12},
         "finishReason": "LENGTH"},
    ),
    "a row of a data frame": (
        {
            "context.span_id": "s", "context.trace_id": "t", "span_kind": "LLM", "end_time": TIME,
            "attributes.llm.token_count.completion": 12, "attributes.input.value": SECRET,
        },
        "openinference",
        {
            "context": {"span_id": "s", "trace_id": "t"}, "span_kind": "LLM", "end_time": TIME,
            "attributes": {"llm.token_count.completion": 12},
        },
    ),
    "an object of the program": (
        {"timestamp": TIME, "event": SECRET, "session_id": "s", "data": {"call": CALL}},
        "answers", CALL | {"timestamp": TIME, "session_id": "s"},
    ),
    "a span of an agent": (
        {"started_at": "x", "ended_at": TIME, "trace_id": "t", "id": SECRET, "span_data": CALL},
        "answers", CALL | {"started_at": "x", "ended_at": TIME, "trace_id": "t"},
    ),
    "a state of LangGraph": (
        [{"created_at": TIME, "values": {"messages": [
            {"type": "human", "content": SECRET}, {"id": "lc_run--1", **CALL},
        ]}}],
        "answers", CALL | {"id": "lc_run--1", "timestamp": TIME},
    ),
    "a message of LangChain": (
        {"lc": 1, "kwargs": {
            "content": SECRET, "usage_metadata": {"output_tokens": 12},
            "response_metadata": {"finish_reason": "length"},
        }},
        "answers",
        {"usage_metadata": {"output_tokens": 12}, "response_metadata": {"finish_reason": "length"}},
    ),
}  # fmt: skip


def imported(path: Path) -> tuple[Imported, list[Record]]:
    """What became of a file, and the lines that were written of it."""
    done = import_file(path, path.parent / "telemetry", SOURCES, SHIPPERS, lambda: None)
    texts = [target.read_text("utf-8") for target in done.written]
    assert SECRET not in "".join(texts)
    return done, [json.loads(line) for text in texts for line in text.splitlines()]


def written(folder: Path, value: object) -> Path:
    """A file of one JSON value."""
    path = folder / "log.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", SHAPES)
def test_its_call_is_read_once(tmp_path: Path, name: str) -> None:
    """In the words of a source, and without the texts."""
    value, source, call = SHAPES[name]
    done, lines = imported(written(tmp_path, value))
    assert dict(done.lines) == {source: 1}
    [line] = lines
    assert [one.name for one in SOURCES if one.recognises(line)] == [source]  # as a build does
    said = {key: value for key, value in line.items() if value is not None}
    assert said == {"imported_from": {"file": "log.json", "row": 1}} | call | {
        key: value for key, value in said.items() if key == "name"
    }


@pytest.mark.parametrize(
    "value",
    [
        {"session": CALL, "turns": [CALL, CALL]},
        {"type": "assistant", "message": CALL | {"id": "msg_1"}, "parent_tool_use_id": None},
        {"summary": {"usage": {"m": {"requests": 3, "completion_tokens": 36}}}},
        {
            "daily": [
                {
                    "date": "2026-06-01",
                    "modelBreakdowns": [{"modelName": "m", "outputTokens": 36, "cost": 1.5}],
                }
            ]
        },
        {
            "data": [
                {
                    "date": TIME,
                    "core_metrics": {"num_sessions": 5},
                    "model_breakdown": [{"model": "m", "tokens": {"input": 9, "output": 36}}],
                }
            ]
        },
        {"first": {"second": {"model": "m", "prompt": SECRET}}},
        {"tags": SECRET, "spans": [SECRET], "response": {"tokenUsage": SECRET}},
        {
            "tables": [{"columns": [SECRET, {}], "rows": SECRET}],
            "results": [[SECRET]],
            "columns": [{"values": 3}],
            "data": {"result": [{"values": [[SECRET], 4]}]},
        },
    ],
    ids=[
        "a sum beside its parts",
        "an answer that goes on",
        "a sum",
        "the sums of days",
        "a day of an actor",
        "no count",
        "another meaning",
        "no answer of a query",
    ],
)
def test_what_may_be_counted_twice_or_is_no_call_is_left_out(tmp_path: Path, value: object) -> None:
    """And said to be."""
    done, lines = imported(written(tmp_path, value))
    assert not lines
    assert dict(done.left_out) == {"log.json: no source knows it": 1}


def test_lines_of_pairs(tmp_path: Path) -> None:
    """Of logfmt, of a logger that writes pairs behind a time, and answers as Python prints them."""
    path = tmp_path / "app.log"
    path.write_text(
        f'time={TIME} msg="{SECRET} x=1" model=m completion_tokens=12 finish_reason=length\n'
        "2026-06-01 08:00:00,250 INFO call model=m, completion_tokens=12, finish_reason=length\n"
        f"GET /x?model=m&completion_tokens=3 {SECRET}\n"
        "ChatCompletion(choices=[Choice(finish_reason='length', message=Message(content='a, b=c'"
        f", refusal=None)], created={TIME}, model='m', usage=Usage(completion_tokens=12))\n"
        "ChatCompletion(choices=[Choice(finish_reason='stop'), Choice(finish_reason='length')],"
        " model='m', usage=Usage(completion_tokens=12))\n",
        encoding="utf-8",
    )
    done, lines = imported(path)
    times = (("time", TIME), ("@timestamp", "2026-06-01 08:00:00,250"), ("created", TIME))
    said = [{name: line[name] for name in line if line[name] is not None} for line in lines]
    assert [{**line, "imported_from": 0} for line in said] == [
        {**CALL, time: value, "imported_from": 0} for time, value in times
    ]
    assert dict(done.left_out) == {"app.log: no source knows it": 2}


# by its name, a line of a log and what its one call says
PRINTED: dict[str, tuple[str, Record]] = {
    "a dictionary": (
        f"{TIME} INFO answer: {ANSWER | {'model': 'm', 'x': None}}",
        {"@timestamp": TIME, "model": "m"} | ANSWER | {"choices": [{"finish_reason": "length"}]},
    ),
    "a dictionary whose answer is JSON": (str(CALL | {"content": '{"a": "b"}'}), CALL),
    "an answer that is JSON": (
        ("""Answer(message=Message(content='{"a": "b"}'), finish_reason='length', model='m', """
        "usage=Usage(completion_tokens=12))"),
        CALL,
    ),
    "a message of LangChain": (
        (f"""{TIME} INFO content='{SECRET}' response_metadata={{'finish_reason': 'length'}} """
        "id='run--1' usage_metadata={'output_tokens': 12}"),
        {
            "@timestamp": TIME, "id": "run--1", "usage_metadata": {"output_tokens": 12},
            "response_metadata": {"finish_reason": "length"},
        },
    ),
    "an answer of Gemini": (
        (f"candidates=[Candidate(content=Content(parts=[Part(text='{SECRET}')]), finish_reason="
        "<FinishReason.MAX_TOKENS: 'MAX_TOKENS'>)] model_version='m' usage_metadata="
        "UsageMetadata(candidates_token_count=12, thoughts_token_count=4)"),
        {
            "model_version": "m", "candidates": [{"finish_reason": "MAX_TOKENS"}],
            "usage_metadata": {"candidates_token_count": 12, "thoughts_token_count": 4},
        },
    ),
    "what SGLang logs": (
        (f"{TIME} Finish: obj=GenerateReqInput(text='{SECRET}'), out={{'text': '{SECRET}',"
        " 'meta_info': {'finish_reason': {'type': 'length'}, 'completion_tokens': 12}}"),
        {"@timestamp": TIME, "finish_reason": {"type": "length"}, "completion_tokens": 12},
    ),
    "a hash of Ruby": (
        (f"""I, [{TIME} #7] INFO -- : {{"choices"=>[{{"finish_reason" => "length"}}], "x"=>nil,"""
        f""" "y"=>"{SECRET} => nil", "id"=>"chatcmpl-1", "usage"=>{{"completion_tokens"=>12}}}}"""),
        ANSWER | {"@timestamp": TIME, "choices": [{"finish_reason": "length"}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRINTED)
def test_an_answer_that_a_program_printed(tmp_path: Path, name: str) -> None:
    """As Python and Ruby print objects, behind the text of a log; beside it a line of text."""
    text, call = PRINTED[name]
    path = tmp_path / "app.log"
    path.write_text(f"{text}\nit didn't {{'work': {SECRET}\n", encoding="utf-8")
    done, [line] = imported(path)
    assert dict(done.left_out) == {"app.log: no source knows it": 1}
    said = {key: value for key, value in line.items() if value is not None}
    assert said == call | {"imported_from": {"file": "app.log", "row": 1}}


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("timestamp|model|completion_tokens|finish_reason", f"{TIME}|m|12|length"),
        ("Timestamp,Model,Completion Tokens,Finish Reason", f"{TIME},m,12,length"),
        ("timestamp;model;completion_tokens;finish_reason", f'{TIME};m;"12";length'),
        ("timestamp,@model,@completion_tokens,@finish_reason", f"{TIME},m,12,length"),
        ("timestamp,model,completiontokens,finishreason", f"{TIME},m,12,length"),
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path: Path, header: str, row: str) -> None:
    """With bars between the cells, words in the header, or as Datadog and Athena write names."""
    path = tmp_path / "calls.csv"
    path.write_text(f"{header}\n{row}\n", encoding="utf-8")
    _, [line] = imported(path)
    assert line == CALL | {"timestamp": TIME, "imported_from": {"file": "calls.csv", "row": 1}}


def test_a_table_of_answers_that_were_spread_over_columns(tmp_path: Path) -> None:
    """As `json_normalize` and Weave write them: a member of a member of a member a column."""
    path = tmp_path / "calls.csv"
    path.write_text(
        "started_at,inputs.max_tokens,output.usage.completion_tokens,output.choices\n"
        f"""{TIME},12,12,"[{{'finish_reason': 'length', 'message': '{SECRET}'}}]"\n""",
        encoding="utf-8",
    )
    _, [line] = imported(path)
    answer = {"choices": [{"finish_reason": "length"}], "usage": {"completion_tokens": 12}}
    assert line == {
        "started_at": TIME, "inputs": {"max_tokens": 12}, "output": answer,
        "imported_from": {"file": "calls.csv", "row": 1},
    }  # fmt: skip


def test_a_table_of_the_portal_of_azure(tmp_path: Path) -> None:
    """Whose times are as in a letter, in columns that say their zone."""
    path = tmp_path / "query_data.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        names = ["timestamp [UTC]", *list(AZURE)[1:]]
        table = csv.DictWriter(file, names)
        table.writeheader()
        cells = {name: AZURE[name] for name in names[1:]}
        table.writerow(cells | {names[0]: "6/1/2026, 8:00:00.250 PM"})
    _, [line] = imported(path)
    assert line["end_time"] == "2026-06-01T20:00:00.250Z"
    assert line["attributes"] == SPAN
    path.write_text(
        'TimeGenerated [UTC],ModelName,CompletionTokens\n"6/1/2026, 8:00:00 AM",m,12\n', "utf-8"
    )
    _, [line] = imported(path)
    assert line["timestamp"] == "2026-06-01T08:00:00Z"


@pytest.mark.parametrize(
    "first", [CALL, {"event": "call", "data": CALL}], ids=["as it stands", "at another place"]
)
def test_a_sum_behind_calls_is_none(tmp_path: Path, first: Record) -> None:
    """Once a file has calls, what stands elsewhere in it says them again."""
    path = tmp_path / "log.jsonl"
    last = {"event": "end", "totals": {"all": CALL | {"completion_tokens": 24}}}
    path.write_text("\n".join(map(json.dumps, (first, first, last))), encoding="utf-8")
    done, lines = imported(path)
    assert [line["completion_tokens"] for line in lines] == [12, 12]
    assert dict(done.left_out) == {"log.jsonl: no source knows it": 1}
