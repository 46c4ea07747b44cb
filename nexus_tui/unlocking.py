"""Unlocking of a production context for a limited time, and switching of contexts."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, replace

from textual import work

from celery_nexus.connection.errors import ConfigError
from celery_nexus.errors import SourceError
from celery_nexus.rows.text import duration, safe_text
from celery_nexus.sources import Sources
from nexus_tui.asking import Asking
from nexus_tui.front_door.contexts import Context
from nexus_tui.front_door.opening import Opened, open_context, unlock, user_contexts

MOST_S = 8 * 3600.0
"""Longest unlocking, a working day: who needs longer says so again."""

WARN_S = 60.0
"""Lead of the announcement that an unlocking ends."""

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}
_ORDER = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smh])\s+(\S.*)", re.DOTALL)
_USAGE = "say for how long and why: unlock 15m REASON"


@dataclass(frozen=True, slots=True)
class Unlock:
    """What ``:unlock 15m reason`` asks for."""

    seconds: float
    reason: str

    @classmethod
    def parse(cls, text: str) -> Unlock:
        """Read the words behind ``:unlock``.

        Raises:
            ValueError: They say no time or no reason, or too long a time; the message says what would be right.
        """
        found = _ORDER.fullmatch(text.strip())
        if found is None:
            raise ValueError(_USAGE)
        seconds = float(found[1]) * _UNITS_S[found[2]]
        if not 0 < seconds <= MOST_S:
            raise ValueError(f"at most {MOST_S / 3600:.0f}h, and more than nothing: unlock 15m REASON")
        return cls(seconds, found[3].strip())


class Unlocking(Asking, inherit_bindings=False):
    """Whether things may be changed: by the clock, so that nothing that hangs keeps a context open.

    Args:
        sources: Where everything comes from.
        opened: The context that they are of; None: of none.
        read_only: Whether nothing may be changed in any context.

    Attributes:
        opened: The context; None when the dashboard was opened without one.
        next_context: What is opened when this dashboard has ended; None: nothing.
    """

    opened: Opened | None
    next_context: Opened | None = None

    def __init__(self, sources: Sources, opened: Opened | None, *, read_only: bool) -> None:
        super().__init__()
        self.opened = opened
        self._is_read_only = read_only
        self._locked_sources = replace(sources, read_only=read_only or sources.read_only)
        self._open_sources = sources
        self._open_until = (-math.inf, -math.inf)
        self._was_open = False
        self._is_warned = False

    @property
    def open_for_s(self) -> float:
        """Seconds until a context that was unlocked is locked again; 0 when it is.

        Of two clocks the earlier holds: one is set by people, the other stands still while a machine sleeps.
        """
        steady, wall = self._open_until
        return max(0.0, min(steady - time.monotonic(), wall - time.time()))

    @property
    def context(self) -> Context | None:
        """The context, as the file says it."""
        return None if self.opened is None else self.opened.context

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed now."""
        return self.sources.read_only

    @property
    def sources(self) -> Sources:
        """Where everything comes from; they take changes while nothing forbids it."""
        return self._open_sources if self.open_for_s else self._locked_sources

    def unlock(self, words: str) -> str:
        """Open the context for changes; return what is wrong, or nothing: whether it opens is told later."""
        if self.opened is None or not self.opened.context.production:
            return "nothing is locked here: only a context marked production is"
        if not self.opened.can_unlock:
            return f"not unlocked: {safe_text(self.opened.sources.how_to_write)}"
        try:
            order = Unlock.parse(words)
        except ValueError as wrong:
            return str(wrong)
        self._unlock(self.opened, order)
        return ""

    def lock(self) -> str:
        """Let nothing be changed any more, before the time is over; return what is wrong, or nothing."""
        if not self.open_for_s:
            return "nothing is unlocked"
        self._open_until = (-math.inf, -math.inf)
        self.watch_lock()
        return ""

    def watch_lock(self) -> None:
        """Say that a context is about to be locked again, and that it is."""
        left_s = self.open_for_s
        name = safe_text(self.context.name, 60) if self.context else ""
        if left_s and left_s <= WARN_S and not self._is_warned:
            self._is_warned = True
            self.tell(f"{name} is locked again in {duration(left_s)}", severity="warning")
        if self._was_open and not left_s:
            self._was_open = False
            self.tell(f"{name} is locked again: nothing can be changed", severity="warning")
            self.read_again()

    def switch_context(self, name: str) -> str:
        """Go to another context; return what is wrong, or nothing: whether its broker answers is told later."""
        if self.running_actions:
            return f"wait until this has ended: {self.running_actions[0]}"
        try:
            context = user_contexts().get(name)
        except ConfigError as wrong:
            return safe_text(str(wrong).replace("\n", "; "), 500)
        self.tell(f"opening {safe_text(context.name, 60)} …")
        self._open_context(context.name)
        return ""

    @property
    def context_names(self) -> tuple[str, ...]:
        """Names of the user's contexts; none where her file can't be read."""
        try:
            return tuple(user_contexts().contexts)
        except ConfigError:
            return ()

    def choose_context(self) -> str:
        """Show the contexts to choose one; return what is wrong, or nothing."""
        try:
            found = user_contexts()
        except ConfigError as wrong:
            return safe_text(str(wrong), 500)
        from nexus_tui.screens.contexts import ContextsScreen

        if not isinstance(self.screen, ContextsScreen):
            self.push_screen(ContextsScreen(found))
        return ""

    @work(thread=True, exclusive=True, group="unlock")
    def _unlock(self, opened: Opened, order: Unlock) -> None:
        try:
            sources = unlock(opened, order.reason, f"for {duration(order.seconds)}")
        except SourceError as error:
            self.call_later(self.tell, f"not unlocked: its audit line can't be written: {error}", severity="error")
            return
        self.call_later(self._unlocked, sources, order)

    def _unlocked(self, sources: Sources, order: Unlock) -> None:
        self._open_sources = sources
        self._open_until = (time.monotonic() + order.seconds, time.time() + order.seconds)
        self._was_open, self._is_warned = True, order.seconds <= WARN_S
        name = self.context.name if self.context else ""
        self.tell(f"{name} can be changed for {duration(order.seconds)}: {order.reason}", severity="warning")
        self.read_again()

    @work(thread=True, exclusive=True, group="context")
    def _open_context(self, name: str) -> None:
        try:
            opened = open_context(name, read_only=self._is_read_only)
            opened.sources.broker.ping()
        except (ConfigError, SourceError) as error:
            self.call_later(self.tell, f"{name} is not opened: {error}", severity="error")
            return
        self.call_later(self._leave_for, opened)

    def _leave_for(self, opened: Opened) -> None:
        self.next_context = opened
        self.exit()
