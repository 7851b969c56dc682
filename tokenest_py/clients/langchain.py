"""LangChain's chat models of OpenAI and Anthropic: the clients within them are sized."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenest_py.clients import stainless
from tokenest_py.clients.labels import AUTO
from tokenest_py.clients.patches import Theirs, packages

if TYPE_CHECKING:
    from tokenest_py.clients.sizer import Sizer

_CLIENTS = {
    "langchain_openai": ("root_client", "root_async_client"),
    "langchain_anthropic": ("_client", "_async_client"),
}


def is_client(client: object) -> bool:
    """Whether this is a chat model of the two."""
    return bool(_clients(client))


def wire(model: Theirs, sizer: Sizer) -> None:
    """Size what the model's clients send.

    Of AUTO, the model keeps the number alone, since it validates its fields. So this number is AUTO
    for Anthropic, whose API demands a ceiling; for OpenAI it is the caller's, who can leave it out.
    """
    for client in _clients(model):
        stainless.wire(client, sizer)
    if model.max_tokens == AUTO and "langchain_anthropic" in packages(model):
        model.__dict__["max_tokens"] = AUTO


def unwire(model: object) -> None:
    """Leave the model as it was."""
    for client in _clients(model):
        stainless.unwire(client)


def _clients(model: object) -> list[Theirs]:
    names = [name for package in packages(model) for name in _CLIENTS.get(package, ())]
    found = [getattr(model, name, None) for name in names]
    return [client for client in found if stainless.is_client(client)]
