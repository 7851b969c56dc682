"""What the environment says, where a command cannot use it."""

from __future__ import annotations

import pytest

from tokenest_py.errors import UsageError
from tokenest_py.pipeline.settings import Settings


@pytest.mark.parametrize(
    ("name", "attribute"), [("TOKENEST_DB", "database"), ("TOKENEST_EXPORTS", "exports")]
)
def test_a_path_that_the_engine_cannot_take_is_named(name: str, attribute: str) -> None:
    """Its name is no UTF-8: the engine's own word for it is std::bad_cast."""
    settings = Settings.read({name: "/srv/\udcff"})
    with pytest.raises(UsageError, match=rf"{name}='/srv/\\udcff' .* use a path in UTF-8"):
        getattr(settings, attribute)
