"""A mount that no other process sees, for tests of full and read-only disks."""

from __future__ import annotations

import shutil
import subprocess

__all__ = ["PRIVATE_MOUNT"]

# A mount that only the command's own process sees, as root or as an ordinary user.
NAMESPACES = (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"])


def _private_mount() -> list[str] | None:
    """The command prefix under which a tmpfs can be mounted here, if any."""
    for prefix in NAMESPACES:
        probe = [*prefix, "mount", "-t", "tmpfs", "none", "/mnt"]
        if shutil.which("unshare") and subprocess.run(probe, capture_output=True).returncode == 0:
            return prefix
    return None


PRIVATE_MOUNT = _private_mount()
