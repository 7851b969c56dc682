"""What is kept of a record: the mapped members, whatever else it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_project import ROOT
from tokenest_py.pipeline.importing.mapped import Source, read_sources, sources

SECRET = "canary-8b2d"
SOURCES = {source.name: source for source in read_sources(ROOT, sources(ROOT))}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
# a log of evaluations: a document with the records two lists down
NESTED = Source(
    "evals",
    ({"keys": ["eval.run", "samples"]},),
    ("samples[].events[]",),
    tuple(
        {"field": name, "path": path, "type": kind}
        for name, path, kind in [
            ("run_id", "/eval.run", "text"),
            ("sample", "/samples[].uuid", "text"),
            ("actual_output_tokens", "usage.out + usage.extra", "whole"),
            ("stop_reason", "choices[0].stop", "text"),
        ]
    ),
)


def payload(**fields: object) -> dict[str, Any]:
    """A payload of a gateway with text wherever it may stand."""
    return {
        "id": "c1", "call_type": "acompletion", "endTime": 1780272000, "completion_tokens": 5,
        "model_parameters": {"max_tokens": 9, "stop": [SECRET]}, "messages": [SECRET],
        "response": {"id": "r1", "choices": [
            {"finish_reason": "stop", "message": {"content": SECRET}}, {"finish_reason": SECRET}
        ]},
        "metadata": json.dumps({"usage_object": {"x": SECRET}, "note": SECRET}),
    } | fields  # fmt: skip


def test_a_record_is_recognised_as_sql_does() -> None:
    """By its members, by members within, and by what must not be there."""
    assert [name for name, source in SOURCES.items() if source.recognises(payload())] == ["litellm"]
    event = {"occurred_at": "2026-06-01T00:00:00Z", "actual_output_tokens": 3}
    assert [name for name, source in SOURCES.items() if source.recognises(event)] == ["tokenest"]
    row = {"timestamp": "2026-06-01T00:00:00Z", "actual_output_tokens": 3}
    assert [name for name, source in SOURCES.items() if source.recognises(row)] == ["origin"]
    activity = {"generation_id": "g", "tokens_completion": "3", "finish_reason_normalized": "stop"}
    assert [name for name, source in SOURCES.items() if source.recognises(activity)] == ["answers"]
    session = {"type": "user", "sessionId": "s", "uuid": "u", "message": {"content": SECRET}}
    assert [n for n, source in SOURCES.items() if source.recognises(session)] == ["claude_code"]
    chat = session | {"message": {"parts": [SECRET]}}  # of Qwen Code
    assert not [n for n, source in SOURCES.items() if source.recognises(chat)]
    chat |= {"usageMetadata": {"candidatesTokenCount": 3}}
    assert [n for n, source in SOURCES.items() if source.recognises(chat)] == ["answers"]
    assert not NESTED.recognises({"eval": {}, "samples": []})
    assert NESTED.recognises({"eval": {"run": "r"}, "samples": []})


def test_only_mapped_members_are_kept() -> None:
    """In objects, in the first item of a list, and in JSON within a text."""
    kept = SOURCES["litellm"].kept(payload())
    assert kept["model_parameters"] == {"max_tokens": 9}
    assert kept["response"]["id"] == "r1"
    assert kept["response"]["choices"][0] == {"finish_reason": "stop"}
    assert json.loads(kept["metadata"]) == {"usage_object": {}}
    assert "messages" not in kept
    long = SOURCES["litellm"].kept(payload(model=SECRET * 100))
    assert "model" not in long


def test_an_envelope_is_kept_where_it_holds_an_answer() -> None:
    """Under whichever of its names, and as a text too; what a program made of it is not."""
    answer = {"usage": {"completion_tokens": 5, "note": SECRET}, "choices": [{"text": SECRET}]}
    own = {"id": SECRET, "status": SECRET}
    record = {"model": "m", "completion": answer, "output": own, "result": json.dumps(own)}
    answers = SOURCES["answers"]
    assert answers.recognises(record)
    assert not answers.recognises({"model": "m", "output": own})
    kept = answers.kept(record)
    assert kept["completion"]["usage"] == {"completion_tokens": 5}
    assert SECRET not in json.dumps(kept)
    text = answers.kept({"model": "m", "answer": json.dumps(answer)})
    assert json.loads(text["answer"])["usage"] == {"completion_tokens": 5}
    choices = [{"finish_reason": "length", "message": SECRET}]
    assert answers.kept({"model": "m", "output": choices})["output"] == [
        {"finish_reason": "length"}
    ]


def test_records_below_a_header_keep_their_place() -> None:
    """The header stays, events lose what is not mapped; a long document is cut at its samples."""
    record = {
        "eval": {"run": "r", "secret": SECRET}, "stats": SECRET,
        "samples": [
            {"uuid": f"s{n}", "input": SECRET, "events": [
                {"usage": {"out": 3}, "choices": [{"stop": "stop", "text": SECRET}]},
                {"say": SECRET},
            ]}
            for n in range(3)
        ],
    }  # fmt: skip
    kept = NESTED.kept(record)
    events = [{"usage": {"out": 3}, "choices": [{"stop": "stop"}]}, {}]
    assert kept == {
        "eval": {"run": "r"},
        "samples": [{"events": events, "uuid": f"s{n}"} for n in range(3)],
    }
    assert NESTED.parts(kept, 10_000) == [kept]
    parts = NESTED.parts(kept, 10)
    assert [part["samples"] for part in parts] == [[sample] for sample in kept["samples"]]
    assert all(part["eval"] == {"run": "r"} for part in parts)


def test_a_record_is_kept_alone_as_in_a_list() -> None:
    """A batch of Anthropic: its requests stand in one document, each of its results in a line."""
    source = SOURCES["anthropic_batch"]
    message = {"id": "msg_1", "content": SECRET, "usage": {"output_tokens": 3}}
    result = {"custom_id": "q-1", "result": {"type": "succeeded", "message": message}}
    assert source.kept(result)["result"]["message"] == {
        "id": "msg_1",
        "usage": {"output_tokens": 3},
    }
    asked = {"custom_id": "q-1", "params": {"max_tokens": 9, "messages": SECRET}}
    kept = {"custom_id": "q-1", "params": {"max_tokens": 9}}
    assert source.kept({"requests": [asked]}) == {"requests": [kept]}


@pytest.mark.parametrize(
    ("source", "path", "value", "kept"),
    [
        ("tokenest", ["labels"], {"app": "wiki", "note": SECRET * 100}, {"app": "wiki"}),
        ("bedrock", ["requestMetadata"], {"team": "search", "x": SECRET}, {"team": "search"}),
        ("bedrock", ["requestMetadata"], {"deep": {"x": SECRET}}, {}),
        (
            "bedrock", ["output", "outputBodyJson"],
            [{"text": SECRET}, {"delta": {"stop_reason": "end_turn", "x": SECRET}}],
            [{"stop_reason": "end_turn"}],
        ),
        ("answers", ["gen_ai.response.finish_reasons"], ["length", {"x": SECRET}], ["length"]),
        ("answers", ["createdAt"], {"$date": "2026-06-01T08:00:00Z"}, None),
        ("answers", ["createdAt"], {"$date": "2026-06-01T08:00:00Z", "x": SECRET}, {}),
        ("answers", ["modelUsage"], {"m-1": {"outputTokens": 3}}, {"m-1": {}}),
        ("answers", ["modelUsage"], {"m-1": {}, "m-2": {}}, {}),
        ("answers", ["response"], {"modelId": "m", "id": SECRET}, {"modelId": "m"}),
        (
            "claude_code", ["message", "content"],
            [{"thinking": SECRET}, {"input": {"a": [SECRET, "é"]}}, {"content": SECRET}],
            [{"text": "." * (len(SECRET) + len(f'{{"a":["{SECRET}","é"]}}'))}],
        ),
        (
            "claude_code", ["message", "content"],
            [{"text": f"{SECRET} exceeded the 32000 output token maximum"}],
            [{"text": f"exceeded the 32000 output token maximum{'.' * (len(SECRET) + 1)}"}],
        ),
        ("codex", ["payload", "source"], {"subagent": {"x": SECRET}}, {"subagent": {}}),
    ],
)  # fmt: skip
def test_what_is_read_as_one_value(
    source: str, path: list[str], value: object, kept: object
) -> None:
    """Of an object or a list that a form reads as a whole stays what it reads there."""
    record: Any = value
    for name in reversed(path):
        record = {name: record}
    found: Any = SOURCES[source].kept(record)
    for name in path:
        found = found[name]
    assert found == (value if kept is None else kept)


@pytest.mark.slow
@given(st.sampled_from(sorted(SOURCES)), st.dictionaries(st.text(), VALUES), VALUES)
def test_what_is_kept_was_there(name: str, record: dict[str, Any], inner: object) -> None:
    """Of any record: nothing is made up, and keeping twice keeps the same."""
    source = SOURCES[name]
    record |= dict.fromkeys(("response", "metadata", "message", "usage"), inner)
    kept = source.kept(record)
    assert kept.keys() <= record.keys()
    assert source.kept(kept) == kept


@pytest.mark.parametrize(
    ("column", "given_", "meant"),
    [
        ("completion_tokens", "812", 812),
        ("completion_tokens", 812.0, 812),
        ("completion_tokens", "1,812", 1812),
        ("completion_tokens", "1,8", "1,8"),
        ("completion_tokens", "9.5", "9.5"),
        ("completion_tokens", "", None),
        ("model", 4, "4"),
        ("model_parameters", '{"max_tokens": 9}', {"max_tokens": 9}),
        ("model_parameters", "{'max_tokens': 9, 'x': None}", {"max_tokens": 9, "x": None}),
        ("model_parameters", "{'max_tokens': max(9)}", None),
        ("metadata", '{"usage_object": {}}', '{"usage_object": {}}'),
    ],
)
def test_a_cell_is_typed_by_its_field_map(column: str, given_: object, meant: object) -> None:
    """A number that is written as a text is one only where the field is a count, and whole."""
    assert SOURCES["litellm"].typed({column: given_}) == {column: meant}


def test_times_and_names_with_dots() -> None:
    """An offset of hours alone gets its minutes; a dot leads inwards where a field map goes."""
    assert SOURCES["tokenest"].typed({"occurred_at": "2026-06-01 10:00:00.5+00"}) == {
        "occurred_at": "2026-06-01 10:00:00.5+00:00"
    }
    assert SOURCES["litellm"].typed({"model_parameters.max_tokens": "9", "a.b": "x"}) == {
        "model_parameters": {"max_tokens": 9},
        "a.b": "x",
    }
    spread = {"output.usage.completion_tokens": "9", "output.usage.x.y": 3, "output.id": ""}
    assert SOURCES["answers"].typed(spread) == {
        "output": {"usage": {"completion_tokens": 9, "x.y": 3}}
    }
