"""dbt without its start: each run is a process of its own, forked from one that has imported dbt.

Importing dbt and reading the project costs three seconds of CPU a run, more than most builds of
the tests take. Run as a program this file is the process to fork from: one request a line on
standard input, as JSON, and for each the exit code on standard output.
"""

from __future__ import annotations

import atexit
import gc
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tokenest_py.pipeline.plan.store import project_checksum

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PLACES", "ROOT", "WarmDbt"]

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "target"
PARSED = "partial_parse.msgpack"
PLACES = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]


class WarmDbt:
    """The process to fork from, and a scratch folder for dbt; both last as long as this process."""

    def __init__(self) -> None:
        """Make the folder; the process starts when it is needed."""
        self._scratch = tempfile.TemporaryDirectory(prefix="tokenest-dbt-")
        self.folder = Path(self._scratch.name)
        self._process: subprocess.Popen[str] | None = None
        # what an earlier session read of the very same files: dbt looks at each of them again
        self._kept = KEPT / f"parsed-{project_checksum(ROOT, {})}.msgpack"
        self.target().mkdir()
        if self._kept.is_file():
            shutil.copy(self._kept, self.target() / PARSED)
        atexit.register(self._end)

    def target(self, variables: str = "") -> Path:
        """The target folder: dbt reads the project anew for each set of variables."""
        key = hashlib.sha256(variables.encode()).hexdigest()[:8]
        return self.folder / (f"target-{key}" if variables else "target")

    def of_checkout(
        self, arguments: Sequence[str], folder: Path, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run dbt on the checkout's project, which is read once for each set of variables."""
        given = list(arguments)
        variables = given[given.index("--vars") + 1] if "--vars" in given else ""
        places = [*PLACES, "--target-path", str(self.target(variables)), "--log-path",
                  str(self.folder / "logs")]  # fmt: skip
        return self.run([*given, *places], folder, environment)

    def run(
        self, arguments: Sequence[str], folder: Path, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run dbt in the folder and the environment, as `subprocess.run` would."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, self.folder],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        outputs = [self.folder / "stdout", self.folder / "stderr"]
        words = ["--no-use-colors", *arguments]
        request = {
            "arguments": words,
            "folder": str(folder),
            "environment": environment,
            "outputs": [str(path) for path in outputs],
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        code = int(self._process.stdout.readline())
        stdout, stderr = (path.read_text(encoding="utf-8") for path in outputs)
        return subprocess.CompletedProcess(words, code, stdout, stderr)

    def _end(self) -> None:
        if self._process is not None:
            self._process.communicate()
        if not self._kept.exists() and (parsed := self.target() / PARSED).exists():
            for old in KEPT.glob("parsed-*"):
                old.unlink(missing_ok=True)
            KEPT.mkdir(exist_ok=True)
            scratch = KEPT / f"scratch-{os.getpid()}"
            shutil.copy(parsed, scratch)
            scratch.replace(self._kept)
        self._scratch.cleanup()


def serve(requests: IO[str], answers: IO[str], scratch: str) -> None:
    """Import dbt, read the project once, and fork a child for every request."""
    from dbt.cli.main import cli, dbtRunner

    gc.disable()  # what dbt makes lives as long as the process; to look through it takes an eighth
    parse = ["--log-level", "none", "--log-path", f"{scratch}/logs", "parse", *PLACES,
             "--target-path", f"{scratch}/target"]  # fmt: skip
    # Reading the project for the first time starts threads, which no later child would have.
    if (first := os.fork()) == 0:
        cli(parse)
    os.waitpid(first, 0)
    dbtRunner().invoke(parse)
    assert len(list(Path("/proc/self/task").iterdir())) == 1
    gc.collect()
    gc.freeze()  # what is there now is not looked at again when a child ends
    for line in requests:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os.chdir(request["folder"])
            os.environ.clear()
            os.environ.update(request["environment"])
            for descriptor, path in zip((1, 2), request["outputs"], strict=True):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
            cli(request["arguments"], prog_name="dbt")
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
    # What is frozen DuckDB calls a leak when the process ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout, sys.argv[1])
