"""Write macros/record/source_fields.sql from the field maps of all sources: `make fields`.

dbt cannot read a file while it compiles a model, and a seed is a table only after a build: the rows
of each models/staging/<source>/fields.csv become one macro, which a test holds in step.
"""

from __future__ import annotations

import csv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def generated(root: Path) -> str:
    """The text of the macro for the field maps below a project's folder."""
    lines = [
        "{#- Of one source; written by `make fields` from models/staging/<source>/fields.csv. -#}",
        "{% macro source_rows(source) %}",
    ]
    for number, path in enumerate(sorted(root.glob("models/staging/*/fields.csv"))):
        lines.append(f"    {{% {'elif' if number else 'if'} source == '{path.parent.name}' %}}")
        lines.append("    {{ return([")
        with path.open(encoding="utf-8", newline="") as file:
            lines += [
                "        {"
                + ", ".join(
                    f"'{name}': {int(value) if name == 'rank' else repr(value)}"
                    for name, value in row.items()
                    if value or name == "path"
                )
                + "},"
                for row in csv.DictReader(file)
            ]
        lines.append("    ]) }}")
    return "\n".join([*lines, "    {% endif %}", "{% endmacro %}", ""])


def main() -> None:
    """Write the macro of this project."""
    (ROOT / "macros" / "record" / "source_fields.sql").write_text(generated(ROOT), encoding="utf-8")


if __name__ == "__main__":
    main()
