"""What a provider's stop reason means, as the packaged table of coefficients has it."""

from __future__ import annotations

from functools import cache

from tokenest_py.runtime.text import vocabulary_key


def spelled(reason: str) -> str:
    """A stop word as the vocabulary spells it, as the macro stop_word_key does in SQL."""
    return vocabulary_key(reason).rpartition(".")[2].replace("-", "_").replace(" ", "_")


def is_truncated(reason: str) -> bool:
    """Whether the answer reached its ceiling, so that a larger one would have helped."""
    return _classes().get(spelled(reason)) == "truncated"


def is_cut_off(reason: str) -> bool:
    """Whether the answer is incomplete: at its ceiling, or because the context window was full."""
    return _classes().get(spelled(reason)) in ("truncated", "context_window")


def may_hide_a_cut(reason: str | None) -> bool:
    """Whether such an answer may be cut off: vLLM says of each begun tool call that it is one."""
    return _classes().get(spelled(reason or "")) in ("tool", None)


@cache
def _classes() -> dict[str, str]:
    from tokenest_py.runtime.table import load  # a recorder that reads no response has no need

    return load().stop_classes
