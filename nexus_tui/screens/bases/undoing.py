"""Undo of the latest changes, for every screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from textual import work
from textual.binding import BindingType

from celery_nexus.actions.queues import Undo
from celery_nexus.errors import SourceError
from celery_nexus.rows import moment
from celery_nexus.rows.audit import Undoable
from celery_nexus.rows.text import age, number, safe_text
from celery_nexus.sources import Sources
from nexus_tui.screens.bases.exporting import ExportingScreen
from nexus_tui.screens.frame.host import Choice, Host
from nexus_tui.screens.frame.offers import bindings

MOST_KEYS = 9
"""Most choices with a digit as their key."""


class UndoingScreen(ExportingScreen):
    """A screen from which the latest changes can be taken back."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Undo)]

    def offer_undo(self) -> None:
        """Ask which of the latest changes to take back."""
        self._read_undoables()

    @work(thread=True, exclusive=True, group="undo")
    def _read_undoables(self) -> None:
        host = cast(Host, self.app)
        try:
            sources = host.sources
            changes = [(change, _count_kept(sources, change)) for change in sources.broker.list_undoables()]
        except SourceError as error:
            self.app.call_from_thread(host.tell, str(error), severity="error")
            return
        self.app.call_from_thread(self._ask_undo, changes)

    def _ask_undo(self, changes: Sequence[tuple[Undoable, str]]) -> None:
        host = cast(Host, self.app)
        if not changes:
            host.tell("Nothing to undo")
            return
        now = moment.now()
        choices = [
            Choice.of(
                Undo(change.token),
                f"{safe_text(f'take back: {change.label}', 60)}, {age((now - change.at).total_seconds())} ago{kept}",
                key=str(place) if place <= MOST_KEYS else "",
            )
            for place, (change, kept) in enumerate(changes, 1)
        ]
        host.ask("Take back", choices)


def _count_kept(sources: Sources, change: Undoable) -> str:
    """Say how many messages come back; pausing and resuming keeps none."""
    return (
        "" if change.kind in ("pause", "resume") else f", {number(sources.broker.measure_kept(change).messages)} kept"
    )
