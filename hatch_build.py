"""Compiles plans into a wheel, where dbt is there to do it: such a wheel builds without dbt."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROGRAM = """
import shutil, sys
from pathlib import Path
from tokenest_py.pipeline.plan.open_vars import PACKAGED_VARS
from tokenest_py.pipeline.plan.store import compile_packaged, plan_name
from tokenest_py.pipeline.settings import Settings
for variables in PACKAGED_VARS:
    for folder in Settings.read({}).plans:
        if (kept := folder / plan_name(variables)).is_file():
            shutil.copy(kept, sys.argv[1])
compile_packaged(Settings.read({"DBT_TARGET_PATH": sys.argv[1]}))
"""


class PlanHook(BuildHookInterface[Any]):
    """Puts plans beside the project in the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile what the target folder lacks, unless the wheel only points at a checkout."""
        if version == "editable" or importlib.util.find_spec("dbt") is None:
            return
        folder, root = tempfile.mkdtemp(), Path(self.root)
        subprocess.run([sys.executable, "-c", PROGRAM, folder], cwd=root, check=True)
        build_data["force_include"][folder] = "tokenest_py/project/plans"
