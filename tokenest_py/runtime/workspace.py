"""Whether a deliverable exists already, and what the size of the existing file is worth.

Paths that leave the workspace are not looked at: deliverables are data.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from tokenest_py.errors import UsageError

if TYPE_CHECKING:
    from tokenest_py.runtime.table import Coefficients

MAX_BYTES = 1024 * 1024  # of a file that are measured: far beyond the last step of every measure
MAX_FACTORS = 1024  # factors that are kept


class Workspace:
    """The folder that the paths of deliverables are relative to."""

    def __init__(self, folder: str) -> None:
        """Fix the folder now: a later change of the working directory does not move it."""
        try:
            self._prefix = f"{os.path.realpath(folder).rstrip('/')}/"
        except ValueError:  # a NUL, or a lone surrogate
            raise UsageError("workspace", folder, "a path") from None
        self._factors: dict[tuple[object, ...], float] = {}

    def locate(self, path: str) -> str:
        """The full name of a path inside the workspace; empty when it lies outside or is none."""
        if path.startswith("/"):
            if not path.startswith(self._prefix):
                return ""
            path = path[len(self._prefix) :]
        if not path or "\0" in path or (".." in path and ".." in path.split("/")):
            return ""
        if not path.isascii():
            try:
                os.fsencode(path)
            except UnicodeEncodeError:  # a lone surrogate
                return ""
        return self._prefix + path

    def size_factor(self, full_path: str, coefficients: Coefficients) -> float:
        """The factor of an existing file on the weight of its modification.

        The product of a factor for its lines of code, one for its import lines and one for its
        deepest indent, kept within bounds; 1.0 for anything that cannot be measured.
        """
        try:
            descriptor = os.open(full_path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError:
            return 1.0
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return 1.0
            key = (
                coefficients.coefficients_id,
                found.st_dev,
                found.st_ino,
                found.st_mtime_ns,
                found.st_size,
            )
            if key not in self._factors:
                if len(self._factors) >= MAX_FACTORS:
                    self._factors.clear()
                self._factors[key] = size_factor(os.read(descriptor, MAX_BYTES), coefficients)
            return self._factors[key]
        except OSError:
            return 1.0
        finally:
            os.close(descriptor)


def size_factor(content: bytes, coefficients: Coefficients) -> float:
    """The factor for the content of a file; see `Workspace.size_factor`."""
    code = imports = indent = 0
    for line in content.split(b"\n"):
        bare = line.strip()
        if not bare or bare.startswith(b"#"):
            continue
        code += 1
        imports += b"import " in line
        indent = max(indent, len(line) - len(line.lstrip()))
    factor = 1.0
    for measure, value in (("loc", code), ("imports", imports), ("indent", indent)):
        factor *= next(step for below, step in coefficients.steps(measure) if value < below)
    number = coefficients.constants
    return min(max(factor, number["file_size_minimum"]), number["file_size_maximum"])
