"""What a stream hands to the application, and when."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tokenest_py.runtime.providers.members import get

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenest_py.clients.call import Call
    from tokenest_py.clients.patches import Theirs


class Passing:
    """Shows a call the events of its stream that pass, and records it.

    An application may leave as soon as it has the end of an answer. So this event is handed over
    with the one that follows, which has the usage: else only what was cut off would be recorded.
    """

    def __init__(
        self, call: Call, *, comes_usage: bool, hides_usage: bool = False, parses: bool = False
    ) -> None:
        """Prepare.

        Args:
            call: What is shown the events.
            comes_usage: Whether the usage comes after the end of the answer.
            hides_usage: Whether the application did not ask for the chunk that has it.
            parses: Whether the library parses a text as its block ends, which raises where it was
                cut off: Anthropic says only then why it ended.
        """
        self._call = call
        self._comes_usage = comes_usage
        self._hides_usage = hides_usage
        self._parses = parses
        self._held: list[Theirs] = []
        self._is_recorded = False

    def through(self, events: Iterator[Theirs]) -> Iterator[Theirs]:
        """The events that are handed over, and the record at the end."""
        try:
            for event in events:
                yield from self.now(event)
        except Exception:
            yield from self.rest()
            raise
        finally:
            self.finish()
        yield from self.rest()

    def now(self, event: Theirs) -> list[Theirs]:
        """What is handed over now that this event has come."""
        ready = self.rest()
        with suppress(Exception):
            if not self._is_recorded:
                self._call.add(event)
            if (self._comes_usage and self._call.lacks_usage) or (
                self._parses and get(event, "type") == "content_block_stop"
            ):
                self._held = [event]
                return ready
            if self._call.lacks_usage is False:
                self.finish()  # who has the end may leave, and the process end
        if self._hides_usage and get(event, "choices") == [] and get(event, "usage") is not None:
            return ready
        return [*ready, event]

    def rest(self) -> list[Theirs]:
        """What is still to be handed over."""
        held, self._held = self._held, []
        return held

    def finish(self) -> None:
        """Record the call, once."""
        if not self._is_recorded:
            self._is_recorded = True
            with suppress(Exception):
                self._call.finish()
