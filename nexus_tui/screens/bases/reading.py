"""Base class of screens that read something of their own, again and again, while they are open."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from textual import on
from textual.message import Message as TextualMessage

from celery_nexus.errors import SourceError
from nexus_tui.screens.bases.base import NexusScreen
from nexus_tui.screens.frame.host import Host
from nexus_tui.threads.poller import Feed

T = TypeVar("T")


def require_present(host: Host) -> None:
    """Make sure that what is shown is the present.

    Raises:
        SourceError: It is a recording, which does not have everything.
    """
    if host.replay is not None:
        raise SourceError("the recording does not have this")


class ReadingScreen(NexusScreen, Generic[T]):
    """A screen with a feed of its own: started when it opens, stopped when it closes, drawn when it has read anew."""

    source: ClassVar[str]
    """What is read, for what is said when it is silent: ``broker``, ``history`` or ``supervisor``."""

    interval_s: ClassVar[float] = 1.0
    """Pause between two readings."""

    calm_s: ClassVar[float] = 2.0
    """Pause when nothing has changed for a while."""

    _feed: Feed[T] | None = None

    class Changed(TextualMessage):
        """It was read anew."""

    @abstractmethod
    def read(self) -> T:
        """Read what is shown; runs in a thread."""

    def own_feeds(self) -> Iterable[Feed[Any]]:
        """Return the screen's feed."""
        yield from super().own_feeds()
        if self._feed:
            yield self._feed

    @property
    def is_read(self) -> bool:
        """Whether there is anything to read."""
        return True

    @property
    def value(self) -> T | None:
        """What was read last; None while it is on its way."""
        return self._feed.reading.value if self._feed else None

    def trouble(self, now: datetime) -> str:
        """Say what is wrong with what was read; empty when it is fresh."""
        return self._feed.trouble(now) if self._feed else ""

    def read_now(self) -> None:
        """Read it now."""
        if self._feed:
            self._feed.read_now()

    def draw_read(self) -> None:
        """Draw what was read anew."""
        if not self.host.frozen:
            self.redraw_now()

    def action_read_again(self) -> None:
        """Read it and every source now."""
        self.read_now()
        super().action_read_again()

    def on_mount(self) -> None:
        """Begin to read."""
        if self.is_read:
            self._feed = Feed(
                self.source,
                self.read,
                lambda: self.post_message(self.Changed()),
                interval_s=self.interval_s,
                calm_s=self.calm_s,
            )
            self._feed.start()

    def on_unmount(self) -> None:
        """Stop reading."""
        if self._feed:
            self._feed.stop()

    @on(Changed)
    def _changed(self) -> None:
        self.draw_read()
