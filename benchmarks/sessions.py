"""Advice on a folder of Claude Code sessions, beside what a user would pick instead.

    python benchmarks/sessions.py --megabytes 50 --ccusage PATH --polars PYTHON

The folder is generated: answers in three lines each, as Claude Code writes them, with texts of
letters. Whole processes are timed, in turn, three times, and the middle one counts. `tokenest
advise` lands every line, says what is cut off, and sizes ceilings; the others add up tokens by day
and model, which is less:

duckdb     one query over `read_json` of the needed members, in Python
polars     the same with `scan_ndjson`, in the Python that --polars names
ccusage    `ccusage daily --offline`, the program that --ccusage names
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from timing import Cost, Work, fresh, median, show

if TYPE_CHECKING:
    from collections.abc import Callable

LINES_A_FILE = 2_000
DUCKDB = """
import sys, duckdb
print(duckdb.sql(f'''
    select day, model, sum(input_tokens), sum(output_tokens)
    from (
        select
            message.id, requestId, min(timestamp)::date as day, min(message.model) as model,
            max(message.usage.input_tokens) as input_tokens,
            max(message.usage.output_tokens) as output_tokens
        from read_json('{sys.argv[1]}/**/*.jsonl', format = 'newline_delimited', columns = {{
            type: 'varchar', timestamp: 'timestamp', requestId: 'varchar',
            message: 'struct(id varchar, model varchar,
                usage struct(input_tokens bigint, output_tokens bigint))'
        }})
        where type = 'assistant'
        group by all
    )
    group by all
'''))
"""
POLARS = """
import sys, polars as pl
schema = {"type": pl.String, "timestamp": pl.String, "requestId": pl.String,
    "message": pl.Struct({"id": pl.String, "model": pl.String,
        "usage": pl.Struct({"input_tokens": pl.Int64, "output_tokens": pl.Int64})})}
calls = pl.scan_ndjson(sys.argv[1] + "/**/*.jsonl", schema=schema)
calls = calls.filter(pl.col("type") == "assistant")
message, usage = pl.col("message").struct, pl.col("message").struct.field("usage").struct
calls = calls.select(
    "requestId", pl.col("timestamp").str.slice(0, 10).alias("day"), message.field("id"),
    message.field("model"), usage.field("input_tokens"), usage.field("output_tokens"),
).unique(["id", "requestId"], keep="last")
totals = calls.group_by("day", "model").agg(pl.col("input_tokens", "output_tokens").sum())
print(totals.collect())
"""


def generate(folder: Path, megabytes: float) -> int:
    """Write sessions of so many megabytes; return how many answers they hold."""
    random_ = random.Random(1)  # the same bytes at every run; nothing secret
    written = number = 0
    while written < megabytes * 1e6:
        session = f"{number:032x}"
        path = folder / "projects" / f"project-{number % 7}" / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            for _ in range(LINES_A_FILE // 4):
                written += sum(file.write(line + "\n") for line in answer(number, session, random_))
                number += 1
    return number


def answer(number: int, session: str, random_: random.Random) -> list[str]:
    """One answer: a prompt, and three lines of the same message that grow."""
    text = "".join(random_.choices("abcdefgh ", k=400)) * random_.randrange(1, 6)
    when = f"2026-06-{1 + number // 86400 % 28:02}T{number // 3600 % 24:02}:{number // 60 % 60:02}"
    shared = {"sessionId": session, "timestamp": f"{when}:{number % 60:02}.000Z", "version": "2"}
    prompt = {"role": "user", "content": text}
    lines = [{**shared, "type": "user", "uuid": f"p{number}", "message": prompt}]
    output = 50 + int(random_.lognormvariate(6, 1))
    for part in (1, 2, 3):
        usage = {"input_tokens": 5, "output_tokens": output * part // 3}
        message = {
            "id": f"m{number}", "role": "assistant", "model": "claude-sonnet-4-5", "usage": usage,
            "stop_reason": "end_turn" if part == 3 else None,
            "content": [{"type": "text", "text": text}],
        }  # fmt: skip
        lines.append(
            {**shared, "type": "assistant", "uuid": f"a{number}-{part}", "requestId": f"q{number}",
             "message": message}
        )  # fmt: skip
    return [json.dumps(line, separators=(",", ":")) for line in lines]


def is_there(*command: str) -> bool:
    """Whether a peer runs; says so where it does not."""
    with contextlib.suppress(OSError):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return True
    print(f"  left out, since it is not installed: {command[0] or 'a peer that is not named'}")
    return False


def main() -> None:
    """Print what each takes, and how many times that of ccusage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=50)
    parser.add_argument("--ccusage", default="", help="the program")
    parser.add_argument("--polars", default="", help="a Python that has polars")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Work(Path(scratch))
        folder = work.folder / "claude"
        answers = generate(folder, options.megabytes)
        print(f"{answers:,} answers in {options.megabytes:g} MB")
        print(f"{'':50} CPU s   wall s   peak MB")
        os.environ["CLAUDE_CONFIG_DIR"] = str(folder)
        database = work.folder / "advised" / "tokenest.duckdb"
        peers: dict[str, Callable[[], Cost]] = {
            "tokenest advise": lambda: work.timed(
                sys.executable, "-m", "tokenest_py", "advise", folder, "--db", fresh(database),
                database=database,
            ),
            "tokenest advise, nothing new": lambda: work.timed(
                sys.executable, "-m", "tokenest_py", "advise", folder, "--db", database,
                database=database,
            ),
            "duckdb": lambda: work.timed(sys.executable, "-c", DUCKDB, folder, database=database),
        }  # fmt: skip
        if is_there(options.polars, "-c", "import polars"):
            peers["polars"] = lambda: work.timed(
                options.polars, "-c", POLARS, folder, database=database
            )
        if is_there(options.ccusage, "--version"):
            peers["ccusage"] = lambda: work.timed(
                options.ccusage, "daily", "--offline", database=database
            )
        for name, run in peers.items():
            show(name, median([run() for _ in range(options.rounds)]))


if __name__ == "__main__":
    main()
