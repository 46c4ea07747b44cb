"""The mailboxes of all applications of a database: one of our own, or one for each that is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import redis

from celery_nexus.control.channels import Channels
from celery_nexus.control.mailbox import Command, Mailbox
from celery_nexus.delivery.layout import Layout
from celery_nexus.serializers import formats


class Mailboxes:
    """Asks the workers of several applications; may be shared by threads.

    Workers of two applications may have the same name: where there are several, names begin with the prefix.

    Args:
        client: Redis.
        database: Its number.
        layouts: Tells the applications that are there now.
        is_own: Whether it is our own stack, whose workers listen where we know.
        kind: Tells which content type an application's workers accept.
    """

    def __init__(
        self,
        client: redis.Redis,
        database: int,
        layouts: Callable[[], Sequence[Layout]],
        *,
        is_own: bool,
        kind: Callable[[Layout], str] = lambda _: formats.JSON,
    ) -> None:
        self._client = client
        self._database = database
        self._layouts = layouts
        self._kind = kind
        self.channels = None if is_own else Channels(client, database)
        self._made: dict[Layout, Mailbox] = {}

    @property
    def all(self) -> tuple[Mailbox, ...]:
        """One of each application."""
        layouts = tuple(self._layouts())
        for layout in layouts:
            if layout not in self._made:
                self._made[layout] = self._mailbox(layout)
        return tuple(self._made[layout] for layout in layouts)

    def _mailbox(self, layout: Layout) -> Mailbox:
        return Mailbox(self._client, layout, self._database, channels=self.channels, kind=lambda: self._kind(layout))

    def name_shown(self, layout: Layout, name: str) -> str:
        """Name a worker or queue as people see it."""
        return f"{layout.prefix}{name}" if len(self._layouts()) > 1 else name

    def find_layout(self, shown: str) -> Layout:
        """Find the application of a worker as it is shown."""
        layouts = self._layouts()
        fitting = [layout for layout in layouts if shown.startswith(layout.prefix)]
        return max(fitting or layouts, key=lambda layout: len(layout.prefix))

    def ask(
        self,
        commands: Sequence[Command],
        names: Sequence[str] | None,
        timeout_s: float,
        heard: Callable[[str, Any], None] | None = None,
    ) -> list[dict[str, Any]]:
        """Ask workers, or all of them with None; see :meth:`Mailbox.ask`."""
        found: list[dict[str, Any]] = [{} for _ in commands]
        for mailbox, destination in self._addressed(names):
            layout = mailbox.layout

            def hear(name: str, answer: Any, layout: Layout = layout) -> None:
                if heard is not None:
                    heard(self.name_shown(layout, name), answer)

            answers = mailbox.ask(commands, destination, timeout_s, hear)
            for row, mine in zip(found, answers, strict=True):
                row.update({self.name_shown(layout, name): answer for name, answer in mine.items()})
        return found

    def expire_replies(self) -> None:
        """Let answers expire that came too late."""
        for mailbox in self.all:
            mailbox.expire_replies()

    def cast(self, command: Command, names: Sequence[str]) -> None:
        """Send a command to workers and wait for no answer."""
        for mailbox, destination in self._addressed(names):
            mailbox.cast(command, destination or ())

    def _addressed(self, names: Sequence[str] | None) -> list[tuple[Mailbox, list[str] | None]]:
        if names is None:
            return [(mailbox, None) for mailbox in self.all]
        if len(self.all) == 1:
            return [(self.all[0], list(names))]
        homes = {name: self.find_layout(name) for name in names}
        return [
            (mailbox, mine)
            for mailbox in self.all
            if (mine := [name.removeprefix(home.prefix) for name, home in homes.items() if home == mailbox.layout])
        ]
