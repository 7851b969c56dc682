"""Speed of landing other tools' logs, beside DuckDB's own `read_json` of the same files.

    python benchmarks/sources.py --lines 1000000 --folder /somewhere/large

The yardstick is one `create table as select` of the columns that are needed, by `read_json` with
their types: no line numbers, no verdicts, no repetitions, no accounting. Exit code 1 when a goal is
missed.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sessions import answer
from timing import Cost, Work, fresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOAL = 3.0
WORDS = ("the", "answer", "is", "in", "this", "file", "because", "a", "test", "fails", "when")
# The lists of attributes need more than the 2 GB that the landing has.
READ = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("set memory_limit = '12GB'")
connection.execute("set preserve_insertion_order = false")
connection.execute(sys.argv[2])
"""
CLAUDE_CODE = """
create table calls as
select * from read_json(
    '{glob}', format = 'newline_delimited', ignore_errors = true, maximum_object_size = 33554432,
    columns = {{
        type: 'varchar', uuid: 'varchar', sessionId: 'varchar', requestId: 'varchar',
        timestamp: 'varchar', isSidechain: 'boolean', isApiErrorMessage: 'boolean',
        agentId: 'varchar', version: 'varchar', cwd: 'varchar',
        message: 'struct(id varchar, model varchar, stop_reason varchar, content json, '
            'usage struct('
            'input_tokens bigint, output_tokens bigint, cache_read_input_tokens bigint, '
            'cache_creation_input_tokens bigint))'
    }}
)
"""
OTEL = """
create table calls as
select
    span.traceId, span.spanId, span.endTimeUnixNano, span.status.code,
    list_filter(span.attributes, lambda one: starts_with(one."key", 'gen_ai.')) as attributes
from (
    select unnest(flatten(list_transform(
        flatten(list_transform(resourceSpans, lambda one: one.scopeSpans)), lambda one: one.spans
    ))) as span
    from read_json(
        '{glob}', format = 'newline_delimited', ignore_errors = true,
        maximum_object_size = 33554432,
        columns = {{
            resourceSpans: 'struct(scopeSpans struct(spans struct('
                'traceId varchar, spanId varchar, endTimeUnixNano varchar, '
                'status struct(code varchar), '
                'attributes struct("key" varchar, "value" struct(stringValue varchar, '
                'intValue varchar, doubleValue double))[])[])[])[]'
        }}
    )
)
"""


def text(rng: random.Random, words: int) -> str:
    """Return words that mean nothing."""
    return " ".join(rng.choices(WORDS, k=words))


def claude_code(rng: random.Random, lines: int) -> Iterator[str]:
    """Yield a session: prompts and answers of three lines, a growing message each."""
    session = f"{rng.getrandbits(128):032x}"
    for number in range(lines // 4):
        yield from answer(number, session, rng)


def otel(rng: random.Random, lines: int) -> Iterator[str]:
    """Yield lines of a collector's file, two spans each."""
    for number in range(lines):
        spans = []
        for _ in range(2):
            said = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": rng.choice(("gpt-5.4", "gpt-5.4-mini")),
                "gen_ai.input.messages": text(rng, 150),
            }
            counted = {
                "gen_ai.request.max_tokens": 4096,
                "gen_ai.usage.input_tokens": rng.randrange(10, 9000),
                "gen_ai.usage.output_tokens": rng.randrange(20, 4000),
            }
            attributes = [
                {"key": key, "value": {"stringValue": value}} for key, value in said.items()
            ]
            attributes += [
                {"key": key, "value": {"intValue": str(value)}} for key, value in counted.items()
            ]
            spans.append({
                "traceId": f"{rng.getrandbits(128):032x}",
                "spanId": f"{rng.getrandbits(64):016x}",
                "name": "chat",
                "startTimeUnixNano": str(1_777_890_000_000_000_000 + number * 1_000_000_000),
                "endTimeUnixNano": str(1_777_890_002_000_000_000 + number * 1_000_000_000),
                "attributes": attributes,
            })  # fmt: skip
        resource = {"resource": {"attributes": []}, "scopeSpans": [{"spans": spans}]}
        yield json.dumps({"resourceSpans": [resource]}, separators=(",", ":"))


SOURCES: dict[str, tuple[Callable[[random.Random, int], Iterator[str]], str]] = {
    "claude_code": (claude_code, CLAUDE_CODE),
    "otel": (otel, OTEL),
}


def written(folder: Path, source: str, lines: int) -> str:
    """Write files of 10,000 lines and return their glob."""
    place = folder / f"{source}-{lines}"
    if not place.exists():
        unfinished = place.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        rng = random.Random(lines)
        for first in range(0, lines, 10_000):
            with (unfinished / f"{first:08}.jsonl").open("w", encoding="utf-8") as file:
                for line in SOURCES[source][0](rng, min(10_000, lines - first)):
                    file.write(f"{line}\n")
        unfinished.rename(place)
    return f"{place}/*.jsonl"


def land(work: Work, source: str, glob: str) -> Cost:
    """Time the landing of a source up to its events."""
    return work.python(
        "run_part.py", work.plan, f"stg_{source}__events",
        database=fresh(work.folder / "landed" / "tokenest.duckdb"), globs=f"{source}:{glob}",
    )  # fmt: skip


def main() -> int:
    """Measure each source and say how it compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="tokenest-sources-"))
    work = Work(folder)
    print("| source | megabytes | read_json, CPU s | landing, CPU s | ratio | peak MB |")
    print("|---|---|---|---|---|---|")
    missed = False
    for source, (_, query) in SOURCES.items():
        glob = written(folder, source, given.lines)
        size = sum(path.stat().st_size for path in Path(glob).parent.iterdir()) / 1e6
        database = fresh(folder / "db" / f"{source}-read.duckdb")
        read = work.timed(
            sys.executable, "-c", READ, database, query.format(glob=glob), database=database
        )
        landed = land(work, source, glob)
        ratio = landed.cpu / read.cpu
        missed = missed or ratio > GOAL
        print(
            f"| {source} | {size:,.0f} | {read.cpu:.1f} | {landed.cpu:.1f} | {ratio:.2f} "
            f"| {landed.megabytes:,.0f} |",
            flush=True,
        )
    if not given.folder:
        shutil.rmtree(folder)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
