"""A Postgres of one's own on loopback, and calls of language models as a warehouse holds them."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import exp
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    from psycopg2 import extensions

FAST = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"]
# numeric is what Postgres makes of sums; DuckDB keeps 18 digits of it
TYPES = {"numeric": "double", "jsonb": "json", "timestamp without time zone": "timestamp"}
SPEND_LOGS = """
    create schema litellm;
    create table litellm."LiteLLM_SpendLogs" (
        request_id text primary key,
        call_type text not null,
        api_key text not null default '',
        spend double precision not null default 0,
        total_tokens integer not null default 0,
        prompt_tokens integer not null default 0,
        completion_tokens integer not null default 0,
        "startTime" timestamp(3) not null,
        "endTime" timestamp(3) not null,
        model text not null default '',
        model_group text default '',
        custom_llm_provider text default '',
        metadata jsonb default '{}',
        cache_hit text default '',
        request_tags jsonb default '[]',
        team_id text,
        session_id text,
        status text,
        response jsonb default '{}',
        proxy_server_request jsonb default '{}'
    )
"""
CALLS = """
    create schema llm;
    create table llm.calls (
        "Event_ID" varchar(40),
        occurred_at timestamptz not null,
        run_id text,
        phase_id text,
        attempt smallint,
        team varchar(20),
        category text,
        complexity text,
        labels json,
        deliverables text[],
        breakdown text[],
        provider text,
        model text,
        input_tokens integer,
        predicted_output_tokens integer,
        actual_max_tokens integer,
        actual_output_tokens numeric,
        stop_reason jsonb,
        success smallint,
        prompt text
    )
"""


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, where they are installed."""
    folders = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


@contextmanager
def server() -> Iterator[int]:
    """A server of one's own; the port that it listens on, on loopback alone.

    Its texts are in the order of a language and its times in a zone: nothing may hang on either.
    """
    found = programs()
    assert found is not None
    # PostgreSQL refuses to run as root
    who: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}
    with TemporaryDirectory(prefix="tokenest-postgres-") as place, socket.socket() as free:
        if who:
            shutil.chown(place, **who)
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        free.close()

        def run(program: str, *arguments: str) -> None:
            # a file, since the server that pg_ctl leaves behind would keep a pipe open
            with TemporaryFile("w+", encoding="utf-8") as said:
                done = subprocess.run(
                    [found / program, "-D", f"{place}/data", *arguments],
                    cwd=place, stdout=said, stderr=said, check=False, **who,
                )  # fmt: skip
                said.seek(0)
                assert done.returncode == 0, said.read()

        run("initdb", "--username=tokenest", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
            "--locale-provider=icu", "--icu-locale=en-US")  # fmt: skip
        options = ["-c", "listen_addresses=127.0.0.1", "-p", str(port),
                   "-c", "timezone=Pacific/Chatham",
                   "-c", f"unix_socket_directories={place}", *FAST]  # fmt: skip
        run("pg_ctl", "--wait", "--log", f"{place}/log", "--options", " ".join(options), "start")
        try:
            yield port
        finally:
            run("pg_ctl", "--wait", "--mode=immediate", "stop")


def answers(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Calls of three teams: how long their answers were, and which of them a ceiling cut off."""
    chance = random.Random(seed)
    teams = ["ops", 'r&d "north"', "zürich"]
    works = {"summary": 5.2, "extraction": 6.1, "code": 7.3}
    started = datetime(2025, 3, 1, tzinfo=UTC)
    for number in range(count):
        started += timedelta(minutes=chance.expovariate(1 / 40))
        team, work = chance.choice(teams), chance.choice(list(works))
        model = chance.choice(["gpt-6", "gpt-6-mini", "claude-opus-6"])
        wanted = int(exp(chance.gauss(works[work] + 0.2 * teams.index(team), 0.6)))
        ceiling = chance.choice([None, 512, 1024, 4096, 4096])
        cut = ceiling is not None and wanted >= ceiling
        stop = "length" if cut else chance.choice(["stop", "stop", "tool_calls", None])
        yield {
            "number": number,
            "id": f"call-{number:05}",
            "started": started,
            "ended": started + timedelta(milliseconds=chance.randrange(800, 60000)),
            "session": f"session-{number // chance.randrange(4, 9)}",
            "team": team,
            "category": work,
            "model": model,
            "provider": "anthropic" if "claude" in model else "openai",
            "input_tokens": int(exp(chance.gauss(7, 1))),
            "ceiling": ceiling,
            "tokens": min(wanted, ceiling or wanted),
            "stop": stop,
            "predicted": int(wanted * exp(chance.gauss(-0.1, 0.5))) if number % 2 else None,
        }


def spend_logs(count: int) -> Iterator[dict[str, Any]]:
    """Rows of LiteLLM's table, which stored request and answer of four in five."""
    for call in answers(7, count):
        known, stop = call["number"] % 5 > 0, call["stop"]
        request = {"max_tokens": call["ceiling"]}
        response: dict[str, Any] = {"choices": [{"finish_reason": stop}]}
        if is_of_responses := call["number"] % 7 == 3:
            request = {"max_output_tokens": call["ceiling"]}
            cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
            response = cut if stop == "length" else {"status": "completed"}
        if is_of_anthropic := call["number"] % 7 == 5:
            response = {"stop_reason": "max_tokens" if stop == "length" else "end_turn"}
        yield {
            "request_id": call["id"],
            "call_type": "aembedding"
            if call["number"] % 97 == 0
            else "aresponses"
            if is_of_responses
            else "anthropic_messages"
            if is_of_anthropic
            else "acompletion",
            "spend": call["tokens"] / 1e6,
            "total_tokens": call["input_tokens"] + call["tokens"],
            "prompt_tokens": call["input_tokens"],
            "completion_tokens": call["tokens"],
            "startTime": call["started"].replace(tzinfo=None),
            "endTime": call["ended"].replace(tzinfo=None),
            "model": call["model"],
            "model_group": call["model"],
            "custom_llm_provider": call["provider"],
            "metadata": json.dumps(
                {"usage_object": {"completion_tokens_details": {"reasoning_tokens": 20}}}
            ),
            "cache_hit": "True" if call["number"] % 89 == 0 else "False",
            "request_tags": json.dumps(
                [*([call["category"]] if known else []), "User-Agent: acme", "User-Agent: acme/1"]
            ),
            "team_id": call["team"],
            "session_id": call["session"],
            "status": "failure" if call["number"] % 83 == 0 else "success",
            "response": json.dumps(response if known else {}),
            "proxy_server_request": json.dumps(request if known else {}),
        }


def calls(count: int) -> Iterator[dict[str, Any]]:
    """Rows of a table of one's own: labels as JSON, what was to be made, retries, odd spellings."""
    for call in answers(11, count):
        number = call["number"]
        yield {
            "Event_ID": None if number % 50 == 0 else call["id"],
            "occurred_at": call["ended"],
            "run_id": call["session"],
            "phase_id": f"phase-{number // 2}" if number % 10 < 2 else f"phase-{number}",
            "attempt": number % 2 if number % 10 < 2 else None,
            "category": [call["category"], call["category"].upper()][number % 2],
            "complexity": ["low", "medium-complexity", "HIGH", None][number % 4],
            "labels": json.dumps({"zone": "eu", "team": call["team"]}),
            "deliverables": [
                None,
                [f"src/part_{number % 7}.py", "tests/test_part.py: add a case", "docs/Read me.md"],
                [],
            ][number % 3],
            "breakdown": ["backend_new:2", "overhead:300:assumed"] if number % 6 == 1 else None,
            "provider": call["provider"],
            "model": call["model"],
            "input_tokens": call["input_tokens"],
            "predicted_output_tokens": call["predicted"],
            "actual_max_tokens": call["ceiling"],
            "actual_output_tokens": {13: -1, 14: 10**30}.get(number, call["tokens"]),
            "stop_reason": json.dumps(call["stop"]),
            "success": int(call["stop"] != "length"),
            "prompt": "what nobody asked for",
        }


def fill(
    connection: extensions.connection, ddl: str, table: str, rows: Iterator[dict[str, Any]]
) -> None:
    """Make a table in Postgres and write the rows into it."""
    with connection.cursor() as cursor:
        cursor.execute(ddl)
        for row in rows:
            names = ", ".join(f'"{name}"' for name in row)
            places = ", ".join(["%s"] * len(row))
            cursor.execute(f"insert into {table} ({names}) values ({places})", list(row.values()))


def copy(
    connection: extensions.connection, table: str, database: duckdb.DuckDBPyConnection, copied: str
) -> None:
    """Copy a table of Postgres into DuckDB as it stands, in the types that both have."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select attname, format_type(atttypid, null) from pg_attribute where attnum > 0"
            " and not attisdropped and attrelid = cast(%s as regclass) order by attnum",
            [table],
        )
        types = {name: TYPES.get(kind, kind) for name, kind in cursor.fetchall()}
        names = [f'"{name}"' for name in types]
        kept = [f"cast({n} as text)" if types[n[1:-1]] == "json" else n for n in names]
        cursor.execute(f"select {', '.join(kept)} from {table}")
        values = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(names)
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(names, types.values(), strict=True))
    database.execute(f"create table {copied} ({columns})")
    held = pa.table(dict(zip(types, map(list, values), strict=True)))
    database.register("held", held)
    database.execute(f"insert into {copied} select * from held")
    database.unregister("held")
