"""Compiles the plan into a wheel, where dbt is there to do it: such a wheel builds without dbt."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROGRAM = """
import sys
from pathlib import Path
from tokenest_py.pipeline.plan.store import compile_to
compile_to(Path(sys.argv[1]), Path(sys.argv[2]))
"""


class PlanHook(BuildHookInterface[Any]):
    """Puts plan.json beside the project in the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless the wheel only points at a checkout, which has its own plan."""
        if version == "editable" or importlib.util.find_spec("dbt") is None:
            return
        path = Path(tempfile.mkdtemp()) / "plan.json"
        root = Path(self.root)
        subprocess.run([sys.executable, "-c", PROGRAM, root, path], cwd=root, check=True)
        build_data["force_include"][str(path)] = "tokenest_py/project/plan.json"
