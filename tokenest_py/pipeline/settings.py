"""Where things are: the environment variables of the design, each with its default."""

from __future__ import annotations

import os
from pathlib import Path

from tokenest_py.runtime.recorder.recorder import DEFAULT_DIRECTORY

__all__ = [
    "coefficients_path",
    "database_path",
    "exports_folder",
    "project_folder",
    "setting",
    "telemetry_folder",
    "telemetry_globs",
]


DEFAULTS = {
    "TOKENEST_TELEMETRY": "telemetry/**/*.ndjson",
    "TOKENEST_DB": "tokenest.duckdb",
    "TOKENEST_EXPORTS": "exports",
}


def setting(name: str) -> str:
    """Return the variable, as it was given, or its default; an empty one counts as not set."""
    return os.environ.get(name) or DEFAULTS[name]


def telemetry_globs() -> list[str]:
    """Return the globs of TOKENEST_TELEMETRY (comma-separated), as they were given."""
    return [glob.strip() for glob in setting("TOKENEST_TELEMETRY").split(",") if glob.strip()]


def database_path() -> Path:
    """Return the DuckDB file of TOKENEST_DB, absolute."""
    return Path(setting("TOKENEST_DB")).absolute()


def exports_folder() -> Path:
    """Return the folder of TOKENEST_EXPORTS, absolute."""
    return Path(setting("TOKENEST_EXPORTS")).absolute()


def coefficients_path() -> Path | None:
    """Return the file of TOKENEST_COEFFICIENTS, or None for the packaged defaults."""
    path = os.environ.get("TOKENEST_COEFFICIENTS")
    return Path(path).absolute() if path else None


def telemetry_folder() -> Path:
    """Return the folder in which events are recorded: TOKENEST_TELEMETRY_DIR, or its default."""
    return Path(os.environ.get("TOKENEST_TELEMETRY_DIR") or DEFAULT_DIRECTORY)


def project_folder() -> Path:
    """Return the dbt project: this folder, the checkout, or the copy inside the package."""
    package = Path(__file__).parents[1]
    candidates = [Path.cwd(), package.parent, package / "project"]
    for folder in candidates:
        if (folder / "dbt_project.yml").is_file() and (folder / "models" / "staging").is_dir():
            return folder
    return candidates[0]
