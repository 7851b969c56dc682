"""Phases of a run that are out through a service: a file in the run's folder, which outlives it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from tokenest_py.errors import CollectionError
from tokenest_py.pipeline.files import write_beside

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Lease", "live_leases", "read_leases", "write_leases"]

FILE = "leases.json"


@dataclass(frozen=True, slots=True)
class Lease:
    """One phase that one drain works on, until it is finished or the time is over.

    `expires_at` is in seconds since 1970; `holder` says whose it is, for people.
    """

    lease_id: str
    phase_id: str
    attempt: int
    session_id: str
    holder: str
    expires_at: float


def read_leases(folder: Path) -> list[Lease]:
    """Return the leases of a run, also those whose time is over.

    Raises:
        CollectionError: The file is damaged.
    """
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return [Lease(**{item.name: one[item.name] for item in fields(Lease)}) for one in found]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = f"cannot be read ({type(error).__name__}); remove it once no drain runs"
        raise CollectionError(path, reason) from error


def live_leases(folder: Path) -> list[Lease]:
    """Return the leases whose time is not over."""
    now = time.time()
    return [lease for lease in read_leases(folder) if lease.expires_at > now]


def write_leases(folder: Path, leases: Iterable[Lease]) -> None:
    """Replace the file as a whole; without leases there is none.

    Raises:
        CollectionError: It cannot be written.
    """
    path = folder / FILE
    listed = [asdict(lease) for lease in leases]
    try:
        if listed:
            write_beside(path, json.dumps(listed, indent=1) + "\n").replace(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise CollectionError(path, f"cannot be written: {error.strerror}") from error
