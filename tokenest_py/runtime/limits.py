"""What a model takes at most: the rows of seeds/estimator/model_limits.csv, found by its name.

A name is found exactly, in its canonical form; else by a model that is the same but for a date;
else nothing is known of it, and what is not known limits nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tokenest_py.errors import UsageError
from tokenest_py.runtime.arguments import check_count
from tokenest_py.runtime.text import vocabulary_key

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = Path(__file__).absolute().parents[1]
_SEED = Path("seeds", "estimator", "model_limits.csv")
PLACES = (_PACKAGE.parent / _SEED, _PACKAGE / "project" / _SEED)

_PROVIDER = re.compile(
    r"(openai|openai-chat|openai-responses|azure|anthropic|bedrock|google|google-gla|google-vertex"
    r"|gemini|vertex|groq|mistral|cohere|deepseek|xai|grok|openrouter|together|fireworks|ollama):"
)
_REGION = re.compile(r"(us|eu|apac|jp|au|ca|sa|me|af|il|global|us-gov)\.(?=[a-z0-9-]+\.)")
_VENDOR = re.compile(
    r"(anthropic|amazon|meta|mistral|cohere|ai21|deepseek|qwen|openai|google|writer|minimax"
    r"|moonshotai?|nvidia|zai)\."
)
_VERSION = re.compile(r"(-v\d+)?:\d+(:\d+k)?$")
_CLAUDE_VERSION = re.compile(r"-v\d+$")
_ALIAS = re.compile(r"-(latest|default)$")
_DATE = re.compile(r"-(20\d{6}|20\d\d-\d\d-\d\d|\d{4})$")


class Limit(NamedTuple):
    """What a model takes at most, in tokens; None where nobody says.

    Attributes:
        max_output: Of output, reasoning included.
        context_window: Of input and output together.
        max_input: Of input alone.
    """

    max_output: int | None = None
    context_window: int | None = None
    max_input: int | None = None


UNKNOWN = Limit()
_EXPECTED = "a mapping such as {'my-deployment': (8192, 128000)}"


@functools.lru_cache(maxsize=1024)
def canonical(name: str) -> str:
    """A model's name without region, vendor, account, provider, fine-tune and version."""
    name = vocabulary_key(name).rpartition("/")[2]
    name = _PROVIDER.sub("", name, count=1) if _PROVIDER.match(name) else name
    if name.startswith("ft:"):
        name = name.split(":")[1]
    for prefix in (_REGION, _VENDOR):
        found = prefix.match(name)
        name = name[found.end() :] if found else name
    name = _VERSION.sub("", name).replace("@", "-")
    if name.startswith("claude"):
        name = re.sub(r"(?<=\d)\.(?=\d)", "-", _CLAUDE_VERSION.sub("", name))
    return _ALIAS.sub("", name)


def undated(name: str) -> str:
    """A canonical name without its date."""
    return _DATE.sub("", name)


class Limits:
    """Limits by model. The seed is read when the first model is asked for."""

    def __init__(self, own: Mapping[str, tuple[int, int | None]] | None = None) -> None:
        """Take the caller's own: {"my-deployment": (max_output, context_window)}."""
        if own is not None:
            _check(own)
        self._own = {vocabulary_key(name): Limit(*limit) for name, limit in (own or {}).items()}

    def find(self, model: str, answered: int = 0) -> Limit:
        """What is known of the model; nothing is a guess but the date.

        It has `answered` at that length: the seed cannot be right where it says less. The caller's
        own limit holds whatever was answered.
        """
        own = self._own.get(vocabulary_key(model))
        if own is not None:
            return own
        known, dated = _known()
        name = canonical(model)
        found = known.get(name)
        limit = found or dated.get(undated(name), UNKNOWN)
        if limit.max_output is not None and limit.max_output < answered:
            return limit._replace(max_output=answered)
        return limit


def _check(own: object) -> None:
    if not isinstance(own, Mapping):
        raise UsageError("limits", own, _EXPECTED)
    for name, limit in own.items():
        if not (isinstance(name, str) and isinstance(limit, (tuple, list)) and len(limit) <= 3):
            raise UsageError("limits", {name: limit}, _EXPECTED)
        for tokens in limit:
            if tokens is not None:
                check_count(f"limits[{name!r}]", tokens, 1)


@functools.cache
def _known() -> tuple[dict[str, Limit], dict[str, Limit]]:
    """The seed by canonical name, and by that name without its date: the newest one counts."""
    known = dict(read_seed())
    dated: dict[str, Limit] = {}
    for name in sorted(known):  # dates sort, and a name without one comes before them
        dated[undated(name)] = known[name]
    for name in known:
        if undated(name) == name:
            dated[name] = known[name]
    return known, dated


def read_seed() -> Iterator[tuple[str, Limit]]:
    """The seed's rows; none where there is no seed."""
    import csv

    for place in PLACES:
        try:
            with place.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    numbers = [row["max_output"], row["context_window"], row["max_input"]]
                    yield row["model"], Limit(*[int(text) if text else None for text in numbers])
        except (OSError, ValueError, KeyError):
            continue
        return
