"""`tokenest size`: batches with the ceilings that the table has for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import vintages

if TYPE_CHECKING:
    from pathlib import Path

ASK = [{"role": "user", "content": "Hello"}]
OPENAI = {"custom_id": "triage-0001", "method": "POST", "url": "/v1/chat/completions"}
ANTHROPIC = {"custom_id": "triage_2"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table that knows one category."""
    row = vintages.budget(0.02, 700, n=60, method="budget_blend", category="triage")
    return vintages.write(tmp_path, lambda packaged: [*packaged, row])


def size(table: Path, lines: list[Any], *options: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, the lines that came out, and what was said."""
    file = table.parent / "requests.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "tokenest_py", "size", str(file), *options],
        env=os.environ | {"TOKENEST_COEFFICIENTS": str(table)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_batches(table: Path) -> None:
    """The category comes from the id; a written ceiling gives way; the rest of a line stays."""
    body = {"model": "gpt-5-mini", "messages": ASK}
    code, out, said = size(
        table,
        [
            OPENAI | {"body": body},
            OPENAI | {"body": body | {"max_tokens": 4000}},
            OPENAI | {"url": "/v1/responses", "body": {"model": "gpt-5-mini", "input": "Hello"}},
            "",
            ANTHROPIC | {"params": {"model": "claude-opus-4-7", "max_tokens": 5000}},
            {"custom_id": "unseen-1", "params": {"model": "claude-opus-4-7", "max_tokens": 9000}},
            {"category": "triage", "model": "gpt-5-mini", "run_id": "r"},
        ],
    )
    assert code == 0
    assert out[0] == OPENAI | {"body": body | {"max_completion_tokens": 700}}
    assert out[1] == OPENAI | {"body": body | {"max_tokens": 700}}
    assert out[2]["body"]["max_output_tokens"] == 700
    assert out[3]["params"]["max_tokens"] == 700
    assert out[4]["params"]["max_tokens"] == 9000
    assert out[5] == {
        "category": "triage", "model": "gpt-5-mini", "run_id": "r", "max_tokens": 700,
    }  # fmt: skip
    assert said == (
        "6 requests, 5 sized: 18000 tokens reserved before, 12500 now; 0 without a ceiling\n"
    )


def test_the_option_names_the_category(table: Path) -> None:
    """Of requests that say nothing of themselves, and of those whose ids do."""
    line = {"custom_id": "a", "params": {"model": "claude-opus-4-7", "max_tokens": 9000}}
    assert size(table, [line])[1][0]["params"]["max_tokens"] == 9000
    assert size(table, [line], "--category", "triage")[1][0]["params"]["max_tokens"] == 700
    target = table.parent / "sized.jsonl"
    assert size(table, [line], "--category", "triage", "--output", str(target))[1] == []
    assert json.loads(target.read_text())["params"]["max_tokens"] == 700


def test_a_category_that_none_can_be_is_refused(table: Path) -> None:
    """As `sized()` does: without it, each request would stay as it is."""
    code, out, said = size(table, [OPENAI | {"body": {"model": "m"}}], "--category", "x" * 129)
    assert (code, out) == (2, [])
    assert "will not do; use a text of at most 128 characters" in said


def test_a_ceiling_that_is_none_reserves_nothing(table: Path) -> None:
    """Local servers take -1 for all there is."""
    for category, said in (
        ("triage", "0 tokens reserved before, 700 now; 0"),
        ("unseen", "0 now; 1"),
    ):
        body = {"model": "gpt-5-mini", "messages": ASK, "max_tokens": -1}
        code, _, printed = size(table, [{"custom_id": f"{category}-1", "body": body}])
        assert code == 0
        assert said in printed


def test_a_row_of_another_format_stays_as_it_is(table: Path) -> None:
    """Google and Amazon know no such field beside the request, and refuse the row."""
    rows: list[Any] = [
        {"key": "triage-1", "request": {"contents": [{"parts": [{"text": "Hello"}]}]}},
        {"recordId": "triage-1", "modelInput": {"max_tokens": 4000, "messages": ASK}},
        {"model": "gemini-2.5-pro", "contents": [{"parts": [{"text": "Hello"}]}]},
        {"model": "text-embedding-3-small", "input": "Hello"},
    ]
    code, out, said = size(table, rows, "--category", "triage")
    assert (code, out) == (0, rows)
    assert said.startswith("4 requests, 0 sized")


def test_a_response_that_is_a_row_of_its_own(table: Path) -> None:
    """Its ceiling has the name that its endpoint knows."""
    row = {"category": "triage", "model": "gpt-5-mini", "input": "Hello"}
    assert size(table, [row])[1] == [row | {"max_output_tokens": 700}]


def test_what_cannot_be_read(table: Path) -> None:
    """The line is named, and nothing is left behind."""
    code, _, said = size(table, [ANTHROPIC | {"params": {}}, "{broken"])
    assert code == 1
    assert "requests.jsonl: line 2 is no JSON object" in said
    deep = '{"body": ' + "[" * 100_000 + "]" * 100_000 + "}"
    code, _, said = size(table, [deep])
    assert (code, said.count("\n")) == (1, 1)
    assert "requests.jsonl: line 1 is no JSON object" in said
    before = set(table.parent.iterdir())
    size(table, ["{broken"], "--output", str(table.parent / "sized.jsonl"))
    assert set(table.parent.iterdir()) == before


def test_marks_and_halves_of_characters_pass(table: Path) -> None:
    """What Windows puts in front of a file, and an id that no UTF-8 holds, into a file too."""
    sized = table.parent / "sized.jsonl"
    odd = r'{"custom_id": "\ud800", "body": {"model": "gpt-5-mini", "messages": []}}'
    code, _, said = size(table, ["\ufeff" + json.dumps(OPENAI | {"body": {}}), odd])
    assert code == 0, said
    code, _, said = size(table, [odd], "--output", str(sized))
    assert code == 0, said
    assert json.loads(sized.read_text())["custom_id"] == "\ud800"


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity"])
def test_a_number_that_json_cannot_hold_is_no_request(table: Path, number: str) -> None:
    """What would be written is no JSON, and no API takes it."""
    code, out, said = size(table, ['{"model": "gpt-5-mini", "seed": ' + number + "}"])
    assert (code, out) == (1, [])
    assert "line 1 holds a number that JSON cannot" in said


def test_a_place_that_cannot_be_written_to_is_named(table: Path) -> None:
    """It, and not the requests, is to blame."""
    for place, why in (
        (table.parent, "Is a directory"),
        ("/nowhere/x", "No such file or directory"),
    ):
        code, _, said = size(table, [OPENAI | {"body": {}}], "--output", str(place))
        assert code == 1
        assert f"{place} cannot be written: {why}; choose another --output" in said
