"""The paths that a stranger names, as globs that a build lands."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokenest_py.errors import NoDataError, UsageError
from tokenest_py.pipeline.files import PACKED

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Logs", "find_logs"]

# what SQL reads where it lies; the rest goes through `tokenest import`
SUFFIXES = (".ndjson", ".jsonl", ".json", ".log")
ROTATED = re.compile(r"([.-])[0-9][0-9.-]*$")  # as logrotate names it: app.log.1, app.log-20260601
IMPORTED = (
    ".csv", ".db", ".eval", ".har", ".parquet", ".sqlite", ".sqlite3", ".tsv", ".zip",
    ".tar", ".tar.gz", ".tgz", ".bz2", ".xz",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Logs:
    """What was found below the paths.

    Attributes:
        paths: As they were given.
        globs: For TOKENEST_TELEMETRY, the word of a source in front where it was given.
        files: How many files they match, as near as this can be told without a database.
        to_import: Files in folders that only `tokenest import` reads.
    """

    paths: tuple[str, ...]
    globs: tuple[str, ...]
    files: int
    to_import: tuple[Path, ...]


def find_logs(paths: list[str]) -> Logs:
    """Return the logs at the paths: files, folders, globs; `claude_code:PATH` says whose they are.

    Raises:
        UsageError: There is nothing at a path.
        NoDataError: No file below a folder, or none at all, is one that a build reads.
    """
    globs: list[str] = []
    to_import: list[Path] = []
    closed: list[OSError] = []
    files = 0
    for given in paths:
        word, path = _of_source(given)
        place = Path(path).expanduser()
        if place.is_dir():
            found, others = _below(place, closed.append)
            to_import += others
            files += sum(found.values())
            globs += [f"{word}{_literal(place)}/**/*{suffix}" for suffix in found]
        elif place.exists():
            if place.name.lower().endswith(IMPORTED):
                raise NoDataError(f"{path} is not read where it lies; run `tokenest import {path}`")
            files += 1
            globs.append(word + _literal(place))
        elif re.search(r"[*?\[]", path):
            files += 1
            globs.append(word + str(place.absolute()))
        else:
            raise UsageError("path", given, "a file or a folder that exists")
    if not globs and closed:
        reason = f"{closed[0].filename} cannot be listed ({closed[0].strerror})"
        raise NoDataError(f"no log in {', '.join(paths)}: {reason}")
    if not globs:
        more = f"; run `tokenest import {to_import[0]}`" if to_import else _linked_folder(paths)
        raise NoDataError(
            f"no log in {', '.join(paths)}: none of the files ends in {', '.join(SUFFIXES)}, or in"
            f" these with {' or '.join(PACKED)} behind{more}"
        )
    return Logs(tuple(paths), tuple(dict.fromkeys(globs)), files, tuple(to_import))


def _linked_folder(paths: list[str]) -> str:
    """What to say of the first folder below the paths that is a link: none is looked into."""
    places = (Path(_of_source(given)[1]).expanduser() for given in paths)
    walks = (walk for place in places for walk in os.walk(place))
    below = (Path(where, name) for where, folders, _ in walks for name in folders)
    link = next((path for path in below if path.is_symlink()), None)
    return f"; {link} is a link, which is not followed: name it" if link else ""


def _of_source(given: str) -> tuple[str, str]:
    """The word of a source with its colon, where one stands in front of the path, and the path."""
    word, colon, path = given.partition(":")
    is_word = colon and re.fullmatch(r"[a-z][a-z0-9_]*", word) and not Path(given).exists()
    return (word + colon, path) if is_word else ("", given)


def _below(folder: Path, on_closed: Callable[[OSError], None]) -> tuple[dict[str, int], list[Path]]:
    """How many files below a folder end in which suffix, and those that have to be imported."""
    found: dict[str, int] = {}
    to_import = []
    for where, _, names in os.walk(folder, onerror=on_closed):
        for name in names:
            packed = next((suffix for suffix in PACKED if name.endswith(suffix)), "")
            bare = name.removesuffix(packed)
            rotated = ROTATED.search(bare)
            number = f"{rotated[1]}[0-9]*" if rotated else packed
            bare = ROTATED.sub("", bare)
            suffix = next((suffix for suffix in SUFFIXES if bare.endswith(suffix)), None)
            if suffix is not None:
                found[suffix + number] = found.get(suffix + number, 0) + 1
            elif name.lower().endswith(IMPORTED):
                to_import.append(Path(where, name))
    return found, sorted(to_import)


def _literal(path: Path) -> str:
    """The absolute path as a glob. What would mean something in it matches as any character."""
    return re.sub(r"[*?\[\]{},:\\]", "?", str(path.absolute()))
