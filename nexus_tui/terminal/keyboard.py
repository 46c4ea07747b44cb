"""Serialised keys: each is handled before the next is read.

Textual hands a key to the focused widget, from where it comes back for its binding, and meanwhile looks at the
next one. Of what is typed quickly, or comes late in one piece over a slow line, a later key would be acted on
before an earlier one, or by the screen that the earlier one has just closed.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

from nexus_tui.widgets.tables.sight import act_as_of

KEY_WITHIN_S = 0.5
"""Longest wait of the next key: what held the one before may be gone."""


class Keyboard(App[None], inherit_bindings=False):
    """An application that acts on keys in their order, each on what was painted when it was pressed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pressed = deque[events.Key]()
        self._in_hand: events.Key | None = None

    async def on_event(self, event: events.Event) -> None:
        """Queue keys; let everything else pass."""
        if not isinstance(event, events.Key):
            await super().on_event(event)
        elif event.is_forwarded:  # back from the widgets: its binding is next
            await self._act_on(event)
        else:
            self._pressed.append(event)
            await self._take_next()

    async def _act_on(self, key: events.Key) -> None:
        with act_as_of(key.time):
            await super().on_event(key)

    async def _take_next(self) -> None:
        while self._pressed and self._in_hand is None:
            key = self._in_hand = self._pressed.popleft()
            target = self.focused or self.screen
            await self._act_on(key)
            if key.is_forwarded:
                self._go_behind(key, target)
            else:
                self._in_hand = None
        if self._pressed and self._in_hand is not None:
            self.set_timer(KEY_WITHIN_S, partial(self._done_with, self._in_hand))

    def _go_behind(self, key: events.Key, node: MessagePump | None) -> None:
        """Follow a key from widget to widget up to the application, behind it in each one's queue."""
        if node is None or node is self:
            self.call_later(self._done_with, key)
        elif not node.call_later(self._go_behind, key, node._parent):  # pyright: ignore[reportPrivateUsage]
            self._go_behind(key, node._parent)  # pyright: ignore[reportPrivateUsage]

    async def _done_with(self, key: events.Key) -> None:
        if self._in_hand is key:
            self._in_hand = None
            await self._take_next()
