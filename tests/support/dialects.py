"""A guest compiled for a warehouse that nobody has here: dbt writes its SQL and asks no server.

By hand, in an environment with dbt-core 1.11, the adapter and sqlglot (docs/package.md):

    python tests/support/dialects.py snowflake

It says which files a parser of the dialect cannot read.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
PROFILES: dict[str, dict[str, object]] = {
    "snowflake": {"account": "none", "user": "none", "password": "none", "database": "analytics"},
    "bigquery": {"method": "oauth-secrets", "token": "none", "project": "analytics"},
    "databricks": {"host": "localhost", "http_path": "/none", "token": "none", "catalog": "none"},
    "postgres": {
        "host": "127.0.0.1", "port": 1, "user": "none", "password": "", "dbname": "analytics",
    },
}  # fmt: skip
# A relation with every column of the record, since there is no server that could be asked.
COLUMNS = """
{% macro default__relation_columns(relation) %}
    {% set types = {
        'whole': 'bigint', 'number': 'double', 'flag': 'boolean', 'time': 'timestamp'
    } %}
    {% set columns = {} %}
    {% for field in tokenest.relation_fields() %}
        {% do columns.update({field.name: {
            'quoted': adapter.quote(field.name),
            'type': types.get(field.type, 'text'),
            'is_text': field.type not in types,
        }}) %}
    {% endfor %}
    {{ return(columns) }}
{% endmacro %}
"""


def guest(folder: Path, adapter: str) -> Path:
    """Write a copy of the package, and a project over a table of calls; return the project."""
    package, host = folder / "tokenest", folder / "host"
    for part in ("macros", "models", "seeds", "tests/dbt"):
        shutil.copytree(ROOT / part, package / part)
    shutil.copy(ROOT / "dbt_project.yml", package)
    calls = package / "models/staging/base_relation__calls.sql"
    text = calls.read_text(encoding="utf-8")
    only_built = " and flags.WHICH in ['build', 'run', 'show']"
    assert only_built in text
    calls.write_text(text.replace(only_built, ""), encoding="utf-8")

    warehouse = ROOT / "integration_tests/warehouse"
    profile = {"type": adapter, "schema": "analytics", "threads": 1, **PROFILES[adapter]}
    profiles = {"warehouse": {"target": adapter, "outputs": {adapter: profile}}}
    for name, content in {
        "dbt_project.yml": (warehouse / "dbt_project.yml").read_text(encoding="utf-8"),
        "packages.yml": json.dumps({"packages": [{"local": str(package)}]}),
        "profiles.yml": json.dumps(profiles),
        "macros/columns.sql": COLUMNS,
        "models/llm_calls.sql": "select * from {{ source('llm', 'calls') }}",
        "models/schema.yml": (warehouse / "models/schema.yml").read_text(encoding="utf-8"),
    }.items():
        (host / name).parent.mkdir(parents=True, exist_ok=True)
        (host / name).write_text(content, encoding="utf-8")
    return host


def compiled(host: Path) -> dict[str, str]:
    """Have dbt compile the project; return the SQL of the package, by the path of its file.

    Raises:
        ValueError: dbt cannot parse or compile it; the message is what dbt said.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOKENEST", "DBT_"))}
    for command in (["deps"], ["compile", "--no-introspect", "--no-populate-cache"]):
        done = subprocess.run(
            [Path(sys.executable).parent / "dbt", "--no-use-colors", *command],
            cwd=host, env=kept | {"DO_NOT_TRACK": "1"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ValueError(done.stdout[-2000:])
    found = host / "target/compiled/tokenest"
    return {
        str(path.relative_to(found)): path.read_text(encoding="utf-8")
        for folder in ("models", "tests")
        for path in sorted((found / folder).rglob("*.sql"))
        if path.is_file()
    }


def main(adapter: str) -> None:
    """Print what compiles, and what the parser of the dialect says of the rest."""
    sqlglot = import_module("sqlglot")
    with TemporaryDirectory() as folder:
        texts = compiled(guest(Path(folder), adapter))
    print(f"{adapter}: {len(texts)} files compile")
    for path, sql in texts.items():
        try:
            sqlglot.parse_one(sql, read=adapter)
        except sqlglot.errors.SqlglotError as error:
            print(f"{path}: {' '.join(str(error).split())[:300]}")


if __name__ == "__main__":
    main(sys.argv[1])
