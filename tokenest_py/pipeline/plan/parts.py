"""A large file in parts: it lands line by line as if it had been read at once, in less memory.

SQL reads a file as a whole. So each part is a file for a moment: the first lines of the large one,
by which SQL tells what carried its lines, and behind them those of the part.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenest_py.pipeline.files import PACKED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

__all__ = [
    "HEAD_LINES", "Cut", "Part", "cut", "head_of", "is_parted", "md5_of_beginnings", "write_part",
]  # fmt: skip

_BLOCK = 2**20  # a part ends where a block does, at its last newline
HEAD_LINES = 50  # head_lines() of macros/landing/file_sources.sql
_HEAD_BYTES = 2**24
# What a container runtime cut goes on in a later line (macros/engine/duckdb/shipped.sql).
_OF_DOCKER = b'{"log":'
_WHOLE_OF_DOCKER = re.compile(rb'\\n", ?"stream":')
_CUT_OF_KUBERNETES = re.compile(rb"[^ \n]{20,40} std(?:out|err) P ")


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a file.

    Attributes:
        start: The first byte.
        end: The byte behind the last one.
        lines: How many lines of the file are before it.
    """

    start: int
    end: int
    lines: int


@dataclass(frozen=True, slots=True)
class Cut:
    """What of a file is to land.

    Attributes:
        parts: In the order of the file; none where no line is new.
        file_bytes: Of all of it.
        landed_bytes: Those that have landed with the last part.
        landed_md5: Of these.
    """

    parts: tuple[Part, ...]
    file_bytes: int
    landed_bytes: int
    landed_md5: str


def is_parted(path: Path, most: int) -> bool:
    """Whether a file has more bytes and may be cut: one JSON value over several lines may not."""
    if path.name.lower().endswith(PACKED) or path.stat().st_size <= most:
        return False
    first = next(iter(head_of(path)), b"").removeprefix(b"\xef\xbb\xbf").lstrip()
    if not first.startswith((b"{", b"[")):
        return bool(first)
    try:
        json.loads(first)
    except ValueError:
        return False
    return True


def head_of(path: Path) -> list[bytes]:
    """The first lines of a file that are whole."""
    lines: list[bytes] = []
    left = _HEAD_BYTES
    with path.open("rb") as file:
        while len(lines) < HEAD_LINES and (line := file.readline(left)).endswith(b"\n"):
            lines.append(line)
            left -= len(line)
    return lines


def md5_of_beginnings(path: Path, lengths: Collection[int]) -> dict[int, str]:
    """The md5 of the first bytes of a file, by how many; without those that it does not have."""
    found, size, digest = {}, 0, hashlib.md5()
    for length in sorted(set(lengths)):
        for block in _blocks(path, size, length):
            digest.update(block)
            size += len(block)
        if size == length:
            found[length] = digest.hexdigest()
    return found


def cut(path: Path, landed_lines: int, most: int, *, is_final: bool) -> Cut:
    """Cut what is behind the lines that have landed.

    Args:
        path: The file.
        landed_lines: How many lines of it are not to land.
        most: Bytes of a part, about.
        is_final: Nothing is added any more: what no newline ends is a line.
    """
    is_whole = _whole_lines(path)
    size = lines = whole_size = 0
    start = None if landed_lines else 0
    whole, whole_lines = hashlib.md5(), hashlib.md5()
    ends: list[tuple[int, int]] = []  # where a part may end, and the lines before
    for block in _blocks(path):
        last = block.rfind(b"\n") + 1
        if last:
            before, lines = lines, lines + block.count(b"\n")
            if before < landed_lines <= lines:
                start = size + _after_newlines(block, landed_lines - before)
            whole.update(block[:last])
            whole_lines, whole_size = whole.copy(), size + last
            if lines > landed_lines and is_whole(block[block.rfind(b"\n", 0, last - 1) + 1 : last]):
                ends.append((whole_size, lines))
        whole.update(block[last:])
        size += len(block)
    if is_final:
        whole_lines, whole_size = whole, size
    start = size if start is None else start
    parts = tuple(_parts(start, landed_lines, ends, most, size)) if whole_size > start else ()
    return Cut(parts, size, whole_size, whole_lines.hexdigest())


def write_part(path: Path, part: Part, into: Path) -> int:
    """Write a part as a file; return how many of its lines are the first ones of the large file."""
    head = head_of(path) if part.start else []
    is_whole = _whole_lines(path)
    while head and not is_whole(head[-1]):  # it would go on in the part
        head.pop()
    with into.open("wb") as file:
        file.writelines(head)
        for block in _blocks(path, part.start, part.end):
            file.write(block)
    return len(head)


def _parts(
    start: int, lines: int, ends: list[tuple[int, int]], most: int, size: int
) -> Iterator[Part]:
    """Parts up to the end of the file; an end without a newline goes with the lines before it."""
    for end, lines_there in ends[:-1]:
        if end - start >= most:
            yield Part(start, end, lines)
            start, lines = end, lines_there
    yield Part(start, size, lines)


def _blocks(path: Path, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(_BLOCK if end is None else min(_BLOCK, end - start)):
            start += len(block)
            yield block


def _after_newlines(block: bytes, number: int) -> int:
    """Where the line behind so many newlines begins."""
    at = 0
    for _ in range(number):
        at = block.index(b"\n", at) + 1
    return at


def _whole_lines(path: Path) -> Callable[[bytes], bool]:
    """Whether a line is whole, and no piece of one; who takes newlines off cuts nothing."""
    of_docker = any(_WHOLE_OF_DOCKER.search(line) for line in head_of(path))

    def is_whole(line: bytes) -> bool:
        if of_docker and line.startswith(_OF_DOCKER):
            return _WHOLE_OF_DOCKER.search(line) is not None
        return _CUT_OF_KUBERNETES.match(line) is None

    return is_whole
