"""Reads and sets the ceiling in a request, whose body is never changed in place."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from tokenest_py.runtime.providers.members import get, items
from tokenest_py.runtime.recorder.record import whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from tokenest_py.runtime.providers import Path

MOST_PARTS = 10_000  # of a request that are looked at to guess its size
_OPENAI_MODEL = re.compile(r"(.*[/.])?(ft:)?(gpt-\d|o\d|chatgpt)")
_STATES = ("conversation", "mcp_servers", "container")
LONGEST_TEXT = 2_000_000  # characters; a longer one is no text but an image


def at(body: object, path: Path) -> object:
    """What stands in the body at this path, or None."""
    for name in path:
        get = getattr(body, "get", None)
        if get is None:
            return None
        body = get(name)
    return body


def written_ceiling(body: Mapping[str, object], api: ModuleType) -> tuple[Path | None, object]:
    """Where the request has a ceiling and which, or (None, None)."""
    for path in api.CEILINGS:
        value = at(body, path)
        if value is not None:
            return path, value
    return None, None


def tokens_of(ceiling: object) -> int | None:
    """The tokens of a ceiling, counted as the recorder does: 500.0 is a count, True is none.

    -1 and 0, and what is no count, ask for all there is.
    """
    with suppress(TypeError, ValueError):
        return whole(ceiling) or None  # type: ignore[arg-type]
    return None


def with_ceiling(
    body: Mapping[str, object], api: ModuleType, path: Path, tokens: int | None
) -> dict[str, object]:
    """The body with this ceiling and no other; None leaves it without."""
    changed = dict(body)
    for known in api.CEILINGS:
        if at(changed, known) is not None:
            changed = _set(changed, known, None)
    return changed if tokens is None else _set(changed, path, tokens)


def _set(body: Mapping[str, object], path: Path, value: object) -> dict[str, object]:
    name, *rest = path
    changed = dict(body)
    if rest:
        inner = changed.get(name)
        changed[name] = _set(inner if isinstance(inner, dict) else {}, tuple(rest), value)
    elif value is None:
        changed.pop(name, None)
    else:
        changed[name] = value
    return changed


def is_model_of_openai(model: object) -> bool:
    """Whether a model's name is one of OpenAI's, whose newer name of a ceiling others refuse."""
    return _OPENAI_MODEL.match(str(model)) is not None


def has_stored_prompt(body: Mapping[str, object]) -> bool:
    """Whether a request for responses names a stored prompt: it may have a ceiling of its own."""
    return body.get("prompt") is not None and "messages" not in body


def effort(body: Mapping[str, object], api: ModuleType) -> str | None:
    """How much the model shall reason, as the request says it: demand differs by factors."""
    for path in api.EFFORTS:
        value = at(body, path)
        if isinstance(value, (str, bool)):
            return str(value).lower()
    return None


def granted_reasoning(body: Mapping[str, object], api: ModuleType) -> int:
    """The tokens that the request grants to reasoning; 0 where it does not say."""
    granted = [at(body, path) for path in api.GRANTS]
    return max((tokens for tokens in granted if isinstance(tokens, int)), default=0)


def may_have_acted(body: object) -> bool:
    """Whether an answer may have changed what a second one would find, or do it again.

    Question and answer may be in a conversation already, a server of MCP may have been called, and
    a container that has a name be changed. A message of Anthropic's is continued once.
    """
    if at(body, ("thread", "type")) == "continue":
        return True
    return any(at(body, (name,)) is not None for name in _STATES) or any(
        get(tool, "type") == "mcp"
        or get(tool, "mcp_servers", "mcpServers")
        or isinstance(get(tool, "container"), str)
        or get(get(tool, "environment"), "container_id")
        for tool in items(body, "tools")
    )


def rough_tokens(body: object) -> int:
    """The size of a prompt, guessed: a token for every four characters of its texts.

    Good to a bin or two of the table. Images and other data within are passed over.
    """
    characters = 0
    parts = [body]
    for _ in range(MOST_PARTS):
        if not parts:
            break
        part = parts.pop()
        if isinstance(part, str):
            if len(part) < LONGEST_TEXT and not part.startswith("data:"):
                characters += len(part)
        elif isinstance(part, dict):
            parts += [value for name, value in part.items() if name not in ("data", "url")]
        elif isinstance(part, (list, tuple)):
            parts += part
        elif hasattr(part, "__dict__"):  # the types of a client library
            parts += vars(part).values()
    return max(characters // 4, 1)
