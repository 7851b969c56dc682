"""A Spark session in a process of its own, on this machine: alone, or with two workers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from warm_dbt import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Cluster", "Session", "java_version", "tasks_by_executor"]

JVM = "-XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"
# A plan leaves little behind: where one process does all, room saves a twentieth of its time.
ROOM = "-Xms3g -Xmn2g"
SETTINGS = {
    # Two files of 22 MB are split at once, and each aggregate of a plan takes a page: 2g ran out.
    "spark.driver.memory": "4g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.default.parallelism": "2",
    "spark.sql.adaptive.enabled": "false",
    # Each aggregate and each broadcast takes a page, whatever its rows: 64 MB and 4 MB by default.
    "spark.buffer.pageSize": "1m",
    "spark.broadcast.blockSize": "128k",
    # A build of many small queries: little to gain from compiled code, much to lose.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true",
    "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
    "spark.hadoop.hive.metastore.schema.verification": "false",
}
LOGGING = """
rootLogger.level = off
"""
WORKERS = 2
PATIENCE = 60  # seconds for a process to come up


def java_version() -> int:
    """Major version of the Java on the path; 0 without one."""
    try:
        done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if found else 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Cluster:
    """A standalone master and two workers, reachable from this machine alone."""

    home: Path
    folder: Path
    url: str = ""
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _master: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start all three and wait until the master knows both workers."""
        port, page = _free_port(), _free_port()
        self.url = f"spark://127.0.0.1:{port}"
        self._master = self._spawn(
            "master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(page)
        )
        for number in range(WORKERS):
            arguments = ["--host", "127.0.0.1", "--cores", "1", "--memory", "2g"]
            arguments += ["--webui-port", "0", "--work-dir", str(self.folder / f"work-{number}")]
            self.workers.append(self._spawn("worker.Worker", *arguments, self.url))
        deadline = time.monotonic() + PATIENCE
        while self._alive(page) < WORKERS:
            if time.monotonic() > deadline:
                message = f"the cluster did not come up in {PATIENCE} s: {self.folder}"
                raise TimeoutError(message)
            time.sleep(0.5)

    def kill_a_worker(self) -> None:
        """Kill the first worker and its executor, without a word of warning."""
        worker = self.workers[0]
        children = subprocess.run(
            ["pgrep", "-P", str(worker.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for pid in [worker.pid, *map(int, children)]:
            os.kill(pid, signal.SIGKILL)
        worker.wait()

    def stop(self) -> None:
        """Stop what is left; workers take their executors along."""
        for process in [*self.workers, self._master]:
            if process and process.poll() is None:
                process.terminate()
        for process in [*self.workers, self._master]:
            if process:
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _spawn(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{name}-{len(self.workers)}.log").open("wb")
        with log:
            return subprocess.Popen(
                [self.home / "bin" / "spark-class", f"org.apache.spark.deploy.{name}", *arguments],
                env=os.environ | {"SPARK_DAEMON_MEMORY": "256m", "SPARK_LOCAL_IP": "127.0.0.1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @staticmethod
    def _alive(page: int) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{page}/json/", timeout=2) as answer:
                return int(json.load(answer)["aliveworkers"])
        except OSError:
            return 0


@dataclass(slots=True)
class Session:
    """dbt on Spark, with a warehouse, a metastore in memory and an event log of its own."""

    python: Path
    folder: Path
    telemetry: str
    cluster: Cluster | None = None
    settings: dict[str, str] = field(default_factory=dict)
    output: list[str] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """The process that runs dbt; Spark's driver is its child."""
        assert self._process
        return self._process.pid

    @property
    def warehouse(self) -> Path:
        """The folder of the tables."""
        return self.folder / "warehouse"

    @property
    def events(self) -> Path:
        """The folder of the event log."""
        return self.folder / "events"

    @property
    def coefficients(self) -> Path:
        """The exported file."""
        return self.folder / "exports" / "coefficients.ndjson"

    def start(self) -> None:
        """Start the process and its session."""
        for folder in ("conf", "events", "exports"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        java = f"-Dderby.stream.error.file={self.folder}/derby.log {JVM}"
        java += "" if self.cluster else f" {ROOM}"
        settings = (
            SETTINGS
            | {
                "spark.master": self.cluster.url if self.cluster else "local[2]",
                # alone, a task more of a small query costs more than it saves
                "spark.sql.shuffle.partitions": "4" if self.cluster else "1",
                "spark.sql.files.minPartitionNum": "2" if self.cluster else "1",
                "spark.sql.warehouse.dir": str(self.warehouse),
                "spark.driver.extraJavaOptions": java,
                "spark.eventLog.enabled": str(bool(self.cluster)).lower(),
                "spark.eventLog.dir": f"file://{self.events}",
                "spark.eventLog.compress": "false",
                "spark.eventLog.rolling.enabled": "false",
                "spark.executor.memory": "2g",
                "spark.executor.cores": "1",
                "spark.cores.max": str(WORKERS),
                "spark.executor.extraJavaOptions": JVM,
            }
            | self.settings
        )
        (self.folder / "conf" / "spark-defaults.conf").write_text(
            "".join(f"{name} {value}\n" for name, value in settings.items())
        )
        (self.folder / "conf" / "log4j2.properties").write_text(LOGGING)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOKENEST", "DBT_"))}
        environment = kept | {
            "DO_NOT_TRACK": "1",
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "SPARK_CONF_DIR": str(self.folder / "conf"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "TOKENEST_EXPORTS": str(self.folder / "exports"),
            "TOKENEST_TELEMETRY": self.telemetry,
        }
        self._process = subprocess.Popen(
            [self.python, ROOT / "tests" / "spark" / "build.py"],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "spark.log").open("wb"),
            text=True,
        )
        self._read()

    def dbt(self, *arguments: str, watch: Callable[[str], None] | None = None) -> None:
        """Run dbt, which has to succeed; `watch` sees each line that it prints."""
        places = f"--project-dir '{ROOT}' --profiles-dir '{ROOT}' --target spark"
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(f"--no-use-colors {' '.join(arguments)} {places}\n")
        self._process.stdin.flush()
        self._read(watch)

    def stop(self) -> None:
        """End the process; the event log is complete then."""
        if self._process:
            assert self._process.stdin
            self._process.stdin.close()
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def _read(self, watch: Callable[[str], None] | None = None) -> None:
        assert self._process
        assert self._process.stdout
        self.output = []
        for text in self._process.stdout:
            if text.startswith("ended: "):
                if "failed" in text:
                    break
                return
            self.output.append(text)
            if watch:
                watch(text)
        said = ["Spark:", *self.output[-600:], "the end of spark.log:"]
        said += (self.folder / "spark.log").read_text(errors="replace").splitlines()[-40:]
        raise RuntimeError("\n".join(line.rstrip("\n") for line in said))


def tasks_by_executor(events: Path) -> dict[str, int]:
    """How many tasks each executor finished, from the event log."""
    found: dict[str, int] = {}
    for path in events.glob("app-*"):
        for text in path.read_bytes().splitlines():
            entry = json.loads(text)
            if (
                entry["Event"] == "SparkListenerTaskEnd"
                and entry["Task End Reason"]["Reason"] == "Success"
            ):
                executor = entry["Task Info"]["Executor ID"]
                found[executor] = found.get(executor, 0) + 1
    return found
