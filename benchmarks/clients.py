"""What sized() does, costs and gains, before a provider on loopback; needs .venv-clients.

Paths: what each way to a provider sends and records of a call that needs 1,500 tokens, where its
first ceiling is 1,000. Cost: CPU of this process for a call of OpenAI's own library, bare and sized
in turn. Gain: 600 calls of three tasks whose needs are lognormal, under fixed ceilings and under
sized ones, whose table was learned from 1,200 other calls.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import openai
from fake_provider import FakeProvider
from paths import CEILINGS, PATHS
from wired import Wired

import vintages
from tokenest_py import Estimator, Recorder, labels, sized

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

ROOT = Path(__file__).parents[1]
MODEL = "gpt-5-mini"
# median of the needs and their spread, as of a lognormal distribution
TASKS = {"triage": (120, 0.35), "support": (420, 0.45), "report": (1300, 0.40)}
SERVE = """
import sys
from fake_provider import FakeProvider
fake = FakeProvider()
fake.start()
print(fake.url, flush=True)
sys.stdin.read()
"""


def needs(calls: int, seed: int) -> list[tuple[str, int]]:
    """Tasks in random order, and the tokens that each call of them needs."""
    drawn = random.Random(seed)
    tasks = [drawn.choice(sorted(TASKS)) for _ in range(calls)]
    return [(task, int(TASKS[task][0] * drawn.lognormvariate(0, TASKS[task][1]))) for task in tasks]


def learned(folder: Path) -> Path:
    """A table with the 98 % quantile of each task, of 1,200 calls."""
    by_task: dict[str, list[int]] = {}
    for task, tokens in needs(1200, seed=1):
        by_task.setdefault(task, []).append(tokens)
    rows = [
        vintages.budget(
            0.02, sorted(seen)[-(len(seen) // 50)], n=len(seen), method="order", category=task
        )
        for task, seen in by_task.items()
    ]
    return vintages.write(folder, lambda packaged: packaged + rows)


def paths(folder: Path) -> None:
    """A line for each way to a provider."""
    row = vintages.budget(0.02, 1000, n=60, method="budget_blend", category="learned")
    estimator = Estimator.load(vintages.write(folder, lambda packaged: [*packaged, row]))
    print("| path | sent | recorded: output of each attempt | escalated |")
    print("|---|---|---|---|")
    for number, (name, call) in enumerate(PATHS.items()):
        provider, to = FakeProvider(), folder / f"path-{number}"
        with provider.start() as server:
            wired = Wired(provider, estimator, Recorder(to, enabled=True), to)
            call(wired)
            server.shutdown()
        sent = ", ".join(str(ceiling or "none") for ceiling in provider.ceilings(*CEILINGS))
        seen = wired.seen("actual_output_tokens", "truncated", "attempt")
        words = {True: "cut off", False: "whole", None: "left"}
        outputs = ", ".join(f"{tokens} {words[truncated]}" for tokens, truncated, _ in seen)
        escalated = sum(attempt == 2 for _, _, attempt in seen)
        print(f"| {name} | {sent} | {outputs or 'none'} | {escalated or 'no'} |")


def ask(client: openai.OpenAI, need: int, most: int | None = None) -> ChatCompletion:
    """One call, with a ceiling of its own or without."""
    return client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": f"needs {need}"}],
        max_completion_tokens=openai.omit if most is None else most,
    )


def cost(url: str, table: Path, folder: Path, blocks: int) -> None:
    """Milliseconds of CPU a call, bare and sized in turn, and their difference."""
    bare, client = (openai.OpenAI(base_url=f"{url}/v1", api_key="none") for _ in range(2))
    recorder = Recorder(folder / "cost", enabled=True)
    sized(client, estimator=Estimator.load(table), recorder=recorder, category="support")
    found: dict[str, list[float]] = {"bare": [], "sized": []}
    for block in range(blocks + 1):
        for name, each in (("bare", bare), ("sized", client)):
            begun = time.process_time()
            for _ in range(50):
                ask(each, 50)
            if block:  # the first one warms up
                found[name].append((time.process_time() - begun) / 50 * 1000)
    differences = [b - a for a, b in zip(found["bare"], found["sized"], strict=True)]
    print(f"\n| CPU a call, ms | bare {statistics.median(found['bare']):.2f} ", end="")
    print(f"| sized {statistics.median(found['sized']):.2f} ", end="")
    print(f"| paired difference {statistics.median(differences):.2f} |")


def gain(url: str, table: Path, folder: Path) -> None:
    """A line for each ceiling: requests, cut off for the user, reserved to billed, billed."""
    print("\n| ceiling | requests | cut off for the user | reserved / billed | billed tokens |")
    print("|---|---|---|---|---|")
    calls = needs(600, seed=2)
    for fixed in (500, 1000, 2000, 4096):
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
        cut = billed = 0
        for _, need in calls:
            answer = ask(client, need, fixed)
            cut += answer.choices[0].finish_reason == "length"
            billed += answer.usage.completion_tokens if answer.usage else 0
        print(f"| fixed {fixed} | 600 | {cut} | {fixed * 600 / billed:.2f} | {billed} |")
    client = sized(
        openai.OpenAI(base_url=f"{url}/v1", api_key="none"),
        estimator=Estimator.load(table),
        recorder=Recorder(folder / "gain", enabled=True),
    )
    cut = 0
    for task, need in calls:
        with labels(category=task):
            cut += ask(client, need).choices[0].finish_reason == "length"
    lines = [line for file in (folder / "gain").iterdir() for line in file.open()]
    events = [json.loads(line) for line in lines]
    billed = sum(event["actual_output_tokens"] for event in events)
    reserved = sum(event["actual_max_tokens"] for event in events)
    print(f"| **sized** | {len(events)} | {cut} | {reserved / billed:.2f} | {billed} |")


def main() -> None:
    """Start a provider in a process of its own, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=20, help="of 50 calls, bare and sized")
    blocks = parser.parse_args().blocks
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(
            [sys.executable, "-c", SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT / "tests/clients",
            text=True,
        ) as provider,
    ):
        assert provider.stdout is not None
        url, folder = provider.stdout.readline().strip(), Path(name)
        paths(folder)
        table = learned(folder)
        cost(url, table, folder, blocks)
        gain(url, table, folder)
        provider.terminate()


if __name__ == "__main__":
    main()
