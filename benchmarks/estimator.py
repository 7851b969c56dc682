"""Speed and weight of the runtime, each figure beside its yardstick in one run.

    python benchmarks/estimator.py

The yardstick for estimates is the algorithm of the estimator that tokenest grew out of, written
anew from its description and kept plain. Rounds alternate between both, so that what else the
machine does meets both; the ratio of the medians is the figure, single times are not. "Seen" are
paths that were read before, "fresh" ones that were not; both ask the disk for every file in every
call. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenest_py import Estimator
from tokenest_py.runtime.table import PACKAGED, parse
from tokenest_py.runtime.table.file import content_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tokenest_py import Budget

ROUNDS = 31
CALLS = 100  # in a round


# --- the yardstick ------------------------------------------------------------------------------

OVERHEAD = {("implementation", "low"): 2000, ("implementation", "medium"): 3000}
WEIGHT = {
    "test": (1400, 600),
    "doc": (500, 400),
    "config": (1000, 500),
    "frontend": (2800, 1100),
    "backend": (2000, 700),
}


@dataclass
class PlainEstimate:
    """What the plain estimator returns."""

    estimated_tokens: int
    deliverable_count: int
    category: str
    complexity: str
    breakdown: dict[str, int]
    confidence: float


class PlainEstimator:
    """The origin's algorithm, plainly, as it runs when its cache of estimates misses."""

    def __init__(self, workspace: Path) -> None:
        """Look up files below a folder."""
        self.workspace = workspace

    def estimate(self, deliverables: object, category: str, complexity: str) -> PlainEstimate:
        """Overhead and marginal weights, times the margin."""
        texts = self.normalize(deliverables)
        if all(text.startswith("docs/") or text.endswith(".md") for text in texts):
            category = "documentation"
        total = 0
        breakdown: dict[str, int] = {}
        for text in texts:
            path = self.path(text)
            flags = self.flags(path, category)
            is_new = self.is_new(text, path)
            tokens = WEIGHT[self.weight_class(flags)][0 if is_new else 1]
            if not is_new:
                tokens = int(tokens * self.size_factor(self.workspace / path))
            label = f"{self.label_class(path, flags)}_{'new' if is_new else 'modify'}"
            breakdown[label] = breakdown.get(label, 0) + tokens
            total += tokens
        overhead = OVERHEAD.get((category, complexity), 2000)
        tokens = int((overhead + total) * 1.3)
        confidence = self.confidence(texts)
        return PlainEstimate(tokens, len(texts), category, complexity, breakdown, confidence)

    def normalize(self, deliverables: object) -> list[str]:
        """The texts in any nesting."""
        found: list[str] = []
        self.walk(deliverables, found)
        return found

    def walk(self, value: object, found: list[str]) -> None:
        """Add the texts of a value."""
        if value is None:
            return
        if isinstance(value, str):
            if value.strip():
                found.append(value.strip())
        elif isinstance(value, dict):
            for member in value.values():
                self.walk(member, found)
        elif isinstance(value, (list, tuple, set)):
            for member in value:
                self.walk(member, found)
        else:
            found.append(str(value))

    def path(self, text: str) -> str:
        """The first thing with a dot."""
        found = re.search(r"[a-zA-Z0-9_\-./]+\.[a-zA-Z0-9]+", text)
        return found.group(0) if found else text.lower()

    def is_new(self, text: str, path: str) -> bool:
        """Whether a verb says so, else whether the file is not there."""
        if any(verb in text.lower() for verb in ("create", "new", "add")):
            return True
        return not (self.workspace / path).exists()

    def flags(self, path: str, category: str) -> dict[str, bool]:
        """What the path looks like; several can hold."""
        lower = path.lower().replace("\\", "/")
        base = Path(lower).name
        suffix = Path(lower).suffix
        return {
            "test": lower.startswith("tests/")
            or "/tests/" in lower
            or base.startswith("test_")
            or lower.endswith(("_test.py", ".spec.ts", ".spec.tsx", ".test.ts", ".test.tsx")),
            "doc": lower.startswith("docs/") or lower.endswith(".md"),
            "config": suffix in (".yml", ".yaml", ".json", ".toml", ".txt", ".ini")
            or "alembic/versions" in lower
            or "migration" in lower,
            "frontend": suffix in (".tsx", ".jsx", ".vue", ".svelte") or category == "frontend",
        }

    def weight_class(self, flags: dict[str, bool]) -> str:
        """The class that decides the weight."""
        for name in ("doc", "config", "test", "frontend"):
            if flags[name]:
                return name
        return "backend"

    def label_class(self, path: str, flags: dict[str, bool]) -> str:
        """The class that the breakdown names, by another order."""
        for name in ("test", "doc", "config"):
            if flags[name]:
                return name
        return "frontend" if path.lower().endswith((".tsx", ".jsx", ".vue")) else "backend"

    def size_factor(self, path: Path) -> float:
        """The size of an existing file, by its lines of code alone."""
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        code = len([line for line in lines if line and not line.startswith("#")])
        return 0.7 if code < 50 else 1.0 if code < 200 else 1.3 if code < 500 else 1.5

    def confidence(self, texts: list[str]) -> float:
        """Shares with an extension and with a verb."""
        if not texts:
            return 0.0
        extensions = sum(bool(re.search(r"\.[a-zA-Z0-9]{2,4}", text)) for text in texts)
        verbs = sum(
            bool(re.search(r"create|modify|update|add|new", text.lower())) for text in texts
        )
        return min(1.0, 0.5 + 0.3 * extensions / len(texts) + 0.2 * verbs / len(texts))


# --- the measurements ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    ours: str
    yardstick: str
    ratio: str
    goal: str
    held: bool


def microseconds(work: Callable[[], object], calls: int) -> float:
    """The mean CPU time of a call, in microseconds."""
    start = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - start) / calls * 1e6


def estimates(folder: Path) -> list[Figure]:
    """estimate() with the existence check, for files that are not there."""
    ours, plain = Estimator.load(workspace=folder), PlainEstimator(folder)
    numbers = itertools.count()

    def seen(count: int) -> list[str]:
        return [path(number) for number in range(count)]

    def fresh(count: int) -> list[str]:
        return [path(next(numbers)) for _ in range(count)]

    figures = []
    for name, draw in (("seen", seen), ("fresh", fresh)):
        for count in (1, 2, 5, 20):
            fast, slow, ratio = paired(ours, plain, [draw(count) for _ in range(ROUNDS * CALLS)])
            figures.append(
                Figure(
                    f"estimate(), {count} {name} deliverables",
                    f"{fast:.1f} µs",
                    f"{slow:.1f} µs plain",
                    f"{ratio:.1f} x faster",
                    "5 x" if (name, count) == ("seen", 5) else "",
                    (name, count) != ("seen", 5) or ratio >= 5,
                )
            )
    return figures


def path(number: int) -> str:
    """A file that is not there, every second one a test."""
    return f"tests/test_module_{number}.py" if number % 2 else f"src/module_{number}.py"


def paired(
    ours: Estimator, plain: PlainEstimator, calls: list[list[str]]
) -> tuple[float, float, float]:
    """The medians of alternating rounds in microseconds a call, and that of their ratios."""
    category, complexity = "implementation", "low"
    ours.estimate(calls[0], category, complexity)
    rounds = []
    for start in range(0, len(calls), CALLS):
        some = calls[start : start + CALLS]
        for estimator in (ours, plain):
            clock = time.process_time()
            found = [estimator.estimate(each, category, complexity) for each in some]
            rounds.append((time.process_time() - clock) / CALLS * 1e6)
            assert found[-1].estimated_tokens == int(
                (2000 + sum(1400 if "test" in name else 2000 for name in some[-1])) * 1.3
            )
    fast, slow = rounds[::2], rounds[1::2]
    ratios = [b / a for a, b in zip(fast, slow, strict=True)]
    return statistics.median(fast), statistics.median(slow), statistics.median(ratios)


def packaged_rows() -> list[dict[str, Any]]:
    """The rows of the packaged table."""
    lines = Path(PACKAGED).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[1:]]


def encoded(rows: list[dict[str, Any]]) -> bytes:
    """A table of these rows, as a build writes it."""
    body = b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)
    header = {
        "kind": "header",
        "format_version": 2,
        "coefficients_id": content_id(body),
        "levels": ["category", "complexity", "estimate_bin", "model", "input_bin"],
        "rows": len(rows),
    }
    return json.dumps(header).encode() + b"\n" + body


LABELS: list[dict[str, str]] = [{"category": f"category{number}"} for number in range(20)]
MODELS = [f"model-{number}" for number in range(20)]
RATES = {0.01: 8000, 0.02: 7000, 0.05: 6000}


def learned_rows() -> Iterator[dict[str, Any]]:
    """What a build adds to the packaged rows: 20 categories, 20 models, all that moves a budget."""
    yield {"kind": "median", "labels": {}, "value": 800, "n": 900}
    yield from _budget_rows({"labels": {}})
    for model in MODELS:
        yield {"kind": "so_far", "labels": {}, "model": model, "value": 0.1, "n": 90}
    for labels in LABELS:
        yield {"kind": "median", "labels": labels, "value": 800, "n": 90}
        yield {"kind": "so_far", "labels": labels, "value": 0.2, "n": 90}
        yield from _budget_rows({"labels": labels})
        for model in MODELS:
            yield from _budget_rows({"labels": labels, "model": model})
    for rate in RATES:
        yield from _moving_rows(rate)


def _budget_rows(cell: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for rate, tokens in RATES.items():
        row = {"kind": "budget", "max_truncation": rate, "value": tokens, "n": 30}
        yield cell | row | {"label": "identified", "confidence": 0.5}


def _moving_rows(rate: float) -> Iterator[dict[str, Any]]:
    """What the next call of something new needs, and what runs show, by class."""
    row = {"max_truncation": rate, "value": 0.01, "n": 40}
    for name, position in itertools.product(("label", "model"), range(7)):
        kind = {"kind": "so_far_quantile", "name": name, "label": "identified", "labels": {}}
        yield row | kind | {"position": position}
    for name, classes in (("same", 10), ("any", 10), ("turn", 13)):
        for labels, position in itertools.product(LABELS, range(classes)):
            kind = {"kind": "run_factor", "name": name, "labels": labels}
            yield row | kind | {"position": position}


def budgets(folder: Path) -> list[Figure]:
    """budget() of a table that has learned, without memory and with one that moves everything."""
    path = folder / "coefficients.ndjson"
    path.write_bytes(encoded([*packaged_rows(), *learned_rows()]))

    def sized(estimator: Estimator) -> Budget:
        return estimator.budget(
            estimates_of[estimator], model="model-7", input_tokens=5000, run_id="run 7"
        )

    def best(work: Callable[[], object]) -> float:
        return min(microseconds(work, 2000) for _ in range(ROUNDS))

    without = Estimator.load(path, strict=True, memory=False)
    tracemalloc.start()
    seeing = Estimator.load(path, strict=True)
    loaded, _ = tracemalloc.get_traced_memory()
    estimates_of = {
        estimator: estimator.estimate(None, "category7") for estimator in (without, seeing)
    }
    budget = sized(seeing)
    for number in range(4096):
        label, model = f"category {number}", f"model {number}"
        other = budget._replace(cell=(label, None, None, model))
        seeing.observe(other, output_tokens=50, stop_reason="stop", run_id=f"run {number}")
        seeing.observe(budget, output_tokens=900, stop_reason="stop", run_id=f"run {number}")
    seen, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sized(seeing).seen_factor != 1

    def observe() -> None:
        seeing.observe(budget, output_tokens=900, stop_reason="stop", run_id="run 7")

    rows = [
        ("budget(), without memory", best(lambda: sized(without)), "µs", 5),
        ("budget(), with what was seen", best(lambda: sized(seeing)), "µs", 8),
        ("memory of 4,096 runs, 2,048 labels and models", (seen - loaded) / 1e6, "MB", 4),
    ]
    return [
        *[
            Figure(name, f"{found:.1f} {unit}", "", "", f"{goal} {unit}", found <= goal)
            for name, found, unit, goal in rows
        ],
        Figure("observe()", f"{best(observe):.1f} µs", "", "", "", held=True),
    ]


def child_cpu(code: str, environment: dict[str, str]) -> float:
    """The CPU time of a fresh interpreter that runs some code, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def start_up(folder: Path) -> Figure:
    """Import and load of the packaged defaults beside a bare interpreter, both from bytecode."""
    environment = {
        key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"
    } | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    code = "from tokenest_py import Estimator; Estimator.load()"
    child_cpu(code, environment)  # writes the bytecode, as an installation does
    rounds = [(child_cpu(code, environment), child_cpu("pass", environment)) for _ in range(ROUNDS)]
    ours, bare = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(a / b for a, b in rounds)
    return Figure(
        "import and load",
        f"{ours:.1f} ms",
        f"{bare:.1f} ms bare",
        f"{ratio:.2f} x",
        "2.5 x",
        ratio <= 2.5,
    )


def load_budgets() -> Figure:
    """Loading 10,000 budget rows beside the packaged ones, hash and all."""
    rows = packaged_rows()
    for number in range(2500):
        cell = {
            "kind": "budget",
            "labels": {"category": f"category{number // 50}", "complexity": "low"},
            "model": f"model-{number % 50}",
        }
        for rate, tokens in ((0.005, 9000), (0.01, 8000), (0.02, 7000), (0.05, 6000)):
            row = cell | {"max_truncation": rate, "label": "identified", "value": tokens}
            rows.append(row | {"n": 30, "confidence": 0.5, "method": "budget_blend"})
    data = encoded(rows)
    found = min(microseconds(lambda: parse(data, "benchmark"), 1) for _ in range(ROUNDS)) / 1000
    return Figure("load 10,000 budget rows", f"{found:.0f} ms", "", "", "50 ms", found < 50)


def main() -> int:
    """Print the table; 1 when a goal is missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = [*estimates(folder), *budgets(folder), start_up(folder), load_budgets()]
    rows = [("", "ours", "beside", "ratio", "goal", "")]
    rows += [
        (f.name, f.ours, f.yardstick, f.ratio, f.goal, "" if f.held else "MISSED") for f in figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip())
    return 0 if all(figure.held for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
