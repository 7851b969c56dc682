"""Records of every source as no tool writes them: each costs itself, and no build fails of it."""

from __future__ import annotations

import copy
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import ROOT, Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SOURCES = sorted(path for path in (ROOT / "models" / "staging").iterdir() if path.is_dir())
CANARY = "canary-7d1f"
MUTATIONS = 2000  # of each sample
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 0.5, -0.0, 1.7e308, 2**31, 2**63, 2**64, -(2**63), 10**30, "", " ",
    "x" * 300, "NaN", "null", "true", "-1", "1e5", "9.5", "2026-13-45T99:99:99Z",
    "2026-05-01T10:00:00+99:99", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "é\u2028\0x",
    "'; drop table x; --", "{{ x }}", "\ud800", '{"a":', "[1,2", "\\", "%s", '"', [], {}, [1], [[]],
    [None], {"a": 1}, {"": ""},
    [{"key": "gen_ai.usage.output_tokens", "value": {"intValue": "NaN"}}],
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """The way to every member and item of a JSON value."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in members:
        yield (*path, key)
        if isinstance(member, (dict, list)):
            yield from places(member, (*path, key))


def mutated(rng: random.Random, record: Any) -> Any:  # noqa: ANN401
    """The record with another value, a member gone, renamed or one deeper, up to three times."""
    record = copy.deepcopy(record)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = list(places(record))
        if not found:
            break
        *path, key = rng.choice(found)
        holder = record
        for name in path:
            holder = holder[name]
        how = rng.random()
        if how < 0.7 or isinstance(holder, list):
            holder[key] = copy.deepcopy(rng.choice(VALUES))
        elif how < 0.8:
            del holder[key]
        elif how < 0.9:
            holder[key.upper()] = holder[key]
        else:
            holder[key] = {key: holder[key]}
    return record


def records(text: str) -> list[Any]:
    """The JSON values of a sample."""
    found = []
    for line in [text] if "\n" not in text.strip() else [text, *text.splitlines()]:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, (dict, list)):
            found.append(value)
    return found


def test_each_costs_itself(tmp_path: Path) -> None:
    """One build over all sources; every line has one verdict, and no text of a call is kept."""
    rng = random.Random(7)
    project = Project(tmp_path)
    written = 0
    for source in SOURCES:
        for sample in source.glob("sample*"):
            # of a rejected record of our own a piece of text is kept
            text = sample.read_text(encoding="utf-8")
            known = records(text if source.name != "tokenest" else text.replace(CANARY, "own"))
            lines = [json.dumps(mutated(rng, rng.choice(known))) for _ in range(MUTATIONS) if known]
            written += len(lines)
            content = "".join(f"{line}\n" for line in lines)
            project.telemetry(f"{source.name}/{sample.stem}.ndjson").write_text(content)
    globs = ",".join(f"{source.name}:telemetry/{source.name}/*" for source in SOURCES)
    built = project.tokenest("build", telemetry=globs)
    assert built.returncode == 0, built.stdout + built.stderr
    assert CANARY.encode() not in project.database.read_bytes()
    [(lines, accepted, counted)] = project.rows(
        "select sum(lines), sum(accepted), sum(accepted + duplicate + quarantined + blank + other)"
        " from marts.files"
    )
    assert lines == counted == written
    assert accepted > MUTATIONS / 10
