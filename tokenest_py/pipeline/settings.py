"""Every environment variable: ONE table, read once per command as one frozen Settings."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from tokenest_py.errors import UsageError
from tokenest_py.runtime.recorder.recorder import DEFAULT_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_MEMORY_LIMIT", "VARIABLES", "Settings", "Variable"]


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable.

    Attributes:
        name: What it is called.
        kind: What its value has to be.
        default: What holds where it is not set, or is empty; "" for none.
        says: What it does, in a sentence.
        readers: Who reads it: commands, dbt, runtime, recorder, service, worker.
    """

    name: str
    kind: str
    default: str
    says: str
    readers: tuple[str, ...]


DEFAULT_MEMORY_LIMIT = "80%"
VARIABLES = (
    Variable(
        "TOKENEST_TELEMETRY", "globs, comma-separated", "telemetry/**/*.ndjson",
        "The files that land.", ("commands", "dbt"),
    ),
    Variable(
        "TOKENEST_SET_ASIDE", "a JSON object", "{}",
        "Files that a build leaves out, each with the reason; `tokenest build` finds them itself.",
        ("dbt",),
    ),
    Variable(
        "TOKENEST_DB", "a file", "tokenest.duckdb",
        "The DuckDB database that a build writes and the other commands read.",
        ("commands", "dbt"),
    ),
    Variable(
        "TOKENEST_EXPORTS", "a folder", "exports",
        "Where a build writes the coefficients, and the commands their reports.",
        ("commands", "dbt"),
    ),
    Variable(
        "TOKENEST_MEMORY_LIMIT", "a size, as 2GB, or a share, as 80%", DEFAULT_MEMORY_LIMIT,
        "What DuckDB may take of the memory during a build.", ("commands", "dbt"),
    ),
    Variable(
        "TOKENEST_COEFFICIENTS", "a file", "",
        "The table that the runtime loads and `tokenest promote` replaces; without it the runtime"
        " loads the packaged defaults.", ("commands", "runtime"),
    ),
    Variable(
        "TELEMETRY_DB_ENABLED", "1, true or yes", "",
        "Switches the recorder on.", ("recorder",),
    ),
    Variable(
        "TOKENEST_TELEMETRY_DIR", "a folder", DEFAULT_DIRECTORY,
        "Where the recorder writes its files, and a drain counts them.",
        ("commands", "recorder"),
    ),
    Variable(
        "TOKENEST_TELEMETRY_PATHS", "full, basename, hash or none", "full",
        "What the recorder keeps of the path of a deliverable; an unknown word counts as none.",
        ("recorder",),
    ),
    Variable(
        "TOKENEST_TELEMETRY_PATH_KEY", "a text", "",
        "The key of hash; without it each recorder draws one of its own.", ("recorder",),
    ),
    Variable(
        "TOKENEST_TELEMETRY_FSYNC", "1, true or yes", "",
        "The recorder waits for the disk with each event.", ("recorder",),
    ),
    Variable(
        "TOKENEST_API_TOKEN", "a text of at least 16 characters", "",
        "The bearer token that the service asks for, and a drain through it sends; needed beyond"
        " loopback.", ("service",),
    ),
    Variable("TOKENEST_RUN_ID", "a text", "", "The run of the attempt.", ("worker",)),
    Variable("TOKENEST_PHASE_ID", "a text", "", "The phase of the attempt.", ("worker",)),
    Variable(
        "TOKENEST_PHASE_FILE", "a file", "", "The phase as a JSON object.", ("worker",)
    ),
    Variable(
        "TOKENEST_ATTEMPT", "a whole number", "", "Which attempt at the phase it is, from 1.",
        ("worker",),
    ),
    Variable(
        "TOKENEST_ESTIMATED_TOKENS", "a whole number", "",
        "The output tokens that tokenest expects.", ("worker",),
    ),
    Variable(
        "TOKENEST_MAX_TOKENS", "a whole number", "", "The ceiling that tokenest proposes.",
        ("worker",),
    ),
    Variable(
        "DBT_TARGET_PATH", "a folder", "",
        "dbt's own: where it keeps the parsed project, and tokenest its plans; without it they are"
        " in `target` of a checkout, or in `~/.cache/tokenest`.", ("commands", "dbt"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment said when a command began; commands hand it on."""

    values: Mapping[str, str]

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None, **options: str | None) -> Settings:
        """Return the settings of this process.

        An empty variable counts as not set, and `~` at the start of a path is the home folder.

        Args:
            environment: The variables; those of this process by default.
            options: What a command's options said, by the name of the variable; None for nothing.
        """
        said = dict(os.environ if environment is None else environment)
        said |= {name: value for name, value in options.items() if value}
        values = {}
        for variable in VARIABLES:
            value = said.get(variable.name) or variable.default
            if variable.kind in {"a file", "a folder"}:
                value = _expanded(value)
            elif variable.kind.startswith("globs"):
                value = ",".join(
                    word + _expanded(glob) for word, glob in map(_of_source, value.split(","))
                )
            values[variable.name] = value
        return cls(MappingProxyType(values))

    @property
    def telemetry(self) -> tuple[str, ...]:
        """The globs of the telemetry files, relative where they were given so."""
        return tuple(glob for _, glob in self.telemetry_sources)

    @property
    def telemetry_sources(self) -> tuple[tuple[str, str], ...]:
        """The same globs, each behind the source that is said to be theirs; "" for none."""
        said = map(_of_source, self.values["TOKENEST_TELEMETRY"].split(","))
        return tuple((word.rstrip(":"), glob) for word, glob in said if glob)

    @property
    def set_aside(self) -> dict[str, str]:
        """The files that a build leaves out, each with the reason."""
        return dict(json.loads(self.values["TOKENEST_SET_ASIDE"]))

    @property
    def database(self) -> Path:
        """The DuckDB file, absolute; raises UsageError for a name that DuckDB cannot take."""
        return _in_utf_8("TOKENEST_DB", Path(self.values["TOKENEST_DB"]).absolute())

    @property
    def exports(self) -> Path:
        """The folder of what is written for others, absolute."""
        return _in_utf_8("TOKENEST_EXPORTS", Path(self.values["TOKENEST_EXPORTS"]).absolute())

    @property
    def exported_table(self) -> Path:
        """The coefficients of the last build, absolute."""
        return self.exports / "coefficients.ndjson"

    @property
    def coefficients(self) -> Path | None:
        """The table that the runtime reads, absolute, or None for the packaged defaults."""
        path = self.values["TOKENEST_COEFFICIENTS"]
        return Path(path).absolute() if path else None

    @property
    def published_table(self) -> Path | None:
        """The same table once a promotion has written it, and None before the first."""
        path = self.coefficients
        return path if path is not None and path.exists() else None

    @property
    def telemetry_folder(self) -> Path:
        """The folder in which events are recorded, relative where it was given so."""
        return Path(self.values["TOKENEST_TELEMETRY_DIR"])

    @property
    def memory_limit(self) -> str:
        """What DuckDB may take of the memory, as it was given."""
        return self.values["TOKENEST_MEMORY_LIMIT"]

    @property
    def project(self) -> Path:
        """The dbt project: the working directory, the checkout, or the copy in the package."""
        package = Path(__file__).parents[1]
        candidates = [Path.cwd(), package.parent, package / "project"]
        for folder in candidates:
            if (folder / "dbt_project.yml").is_file() and (folder / "models" / "staging").is_dir():
                return folder
        return candidates[0]

    @property
    def plans(self) -> tuple[Path, ...]:
        """Where compiled plans are kept: in the first of these folders that can be written to.

        That is where dbt keeps its own files, as asked or in the project; the project in the
        package has a folder in the user's cache.
        """
        if path := self.values["DBT_TARGET_PATH"]:
            return (Path(path).absolute(),)
        if self.project != Path(__file__).parents[1] / "project":
            return (self.project / "target",)
        key = hashlib.sha256(str(self.project).encode()).hexdigest()[:8]
        cache, beside = _expanded("~/.cache/tokenest"), self.database.parent / ".tokenest"
        return (beside,) if cache.startswith("~") else (Path(cache, key), beside)

    def replaced(self, **values: str) -> Settings:
        """Return the same settings but for these variables."""
        return Settings(MappingProxyType({**self.values, **values}))


def _in_utf_8(name: str, path: Path) -> Path:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(name, str(path), "a path in UTF-8; DuckDB takes no other") from None
    return path


def _expanded(path: str) -> str:
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError:  # nobody of that name has a home here
        return path


def _of_source(part: str) -> tuple[str, str]:
    """The word of a source with its colon, where one stands before a glob, and the glob."""
    word, colon, glob = part.strip().partition(":")
    return (word + colon, glob) if colon and not glob.startswith("//") else ("", part.strip())
