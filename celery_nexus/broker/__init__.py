"""The broker: queues, the messages that wait in them, and changes to them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from celery_nexus.broker.read.census import LEAKED_AFTER_S, find_replies, remove_replies
from celery_nexus.broker.reading import BrokerReader
from celery_nexus.broker.wire.connection import translate_errors
from celery_nexus.errors import Refused

if TYPE_CHECKING:
    from celery_nexus.broker.bulk.bulk_edit import Progress, Taken
    from celery_nexus.broker.edit.edits import Edit
    from celery_nexus.broker.edit.footprint import Left
    from celery_nexus.broker.wire.publishing import Publication
    from celery_nexus.rows.audit import Kept, Restored, Undoable
    from celery_nexus.rows.broker import Message, UnreadList
    from celery_nexus.rows.outcomes import TargetOutcome
    from celery_nexus.rows.selection import Frozen, Selection
    from celery_nexus.steps import Steps


class BrokerSource(BrokerReader):
    """Reads and changes the queues of one Celery application on Redis. May be shared by threads."""

    def apply(self, message: Message, edit: Edit, *, undo: str = "") -> TargetOutcome:
        """Change a waiting message in one step; nothing happens when a worker took it since it was read.

        Args:
            message: As it was read.
            edit: The change.
            undo: Token of :meth:`announce_undo`, under which it can be taken back.

        Raises:
            NotFound: The queue that it should go to does not exist.
            Invalid: The priority is outside 0…9, or the message is not Celery's.
        """
        self._check(edit)
        with translate_errors(self.url):
            edit = self._heard(edit)
            outcome = self._parts.surgeon.apply(message, edit, undo)
            if outcome.done:
                self._end([message], edit)
            return outcome

    def delete(self, message: Message, *, undo: str = "", ends: str = "deleted") -> TargetOutcome:
        """Remove a waiting message in one step; its run ends for the reason given."""
        from celery_nexus.broker.edit.edits import Delete

        return self.apply(message, Delete(ends), undo=undo)

    def _heard(self, edit: Edit) -> Edit:
        """Leave no note of an end where nobody would carry it out: in a stranger's application."""
        from celery_nexus.broker.edit.edits import Delete

        return Delete("") if isinstance(edit, Delete) and not self.is_own else edit

    def _end(self, messages: Sequence[Message], edit: Edit) -> None:
        from celery_nexus.broker.edit.edits import Delete

        if isinstance(edit, Delete) and edit.ends:
            self._parts.announcements.end(messages, edit.ends)

    def freeze(self, selection: Selection) -> Frozen:
        """Find all waiting messages that match now; a million take some seconds.

        Raises:
            NotFound: There is no such queue.
            Invalid: The filter can't be understood.
        """
        self.check_queue(selection.queue)
        with translate_errors(self.url):
            return self._parts.selector.freeze(selection)

    def apply_all(
        self, frozen: Frozen, edit: Edit, *, undo: str = "", taken: Taken | None = None, steps: Steps | None = None
    ) -> Progress:
        """Change everything that was frozen and still waits, message by message in single steps.

        Args:
            frozen: What :meth:`freeze` found.
            edit: The change.
            undo: Token of :meth:`announce_undo`; empty when it is not to be taken back.
            taken: Called with messages that were just changed.
            steps: What is told of how far it is, and by what it can be ended.

        Returns:
            What was really done. A broker that goes away in the middle ends it; ``problem`` then says so.

        Raises:
            NotFound: The queue that they should go to does not exist.
            Invalid: The priority is outside 0…9.
        """
        self._check(edit)
        return self._parts.bulk.apply(frozen, self._heard(edit), undo, taken, steps)

    def end(self, messages: Sequence[Message], reason: str) -> None:
        """Tell result backend and history that the runs of messages that were taken out have ended, and why."""
        if not self.is_own:
            return
        with translate_errors(self.url):
            self._parts.announcements.end(messages, reason)

    def _check(self, edit: Edit) -> None:
        from celery_nexus.broker.edit.edits import MoveTo, Reprioritise, check_priority

        if not self.is_own:
            self.ask_layout()
        if isinstance(edit, Reprioritise):
            check_priority(edit.priority)
        elif isinstance(edit, MoveTo):
            self.check_queue(edit.queue)

    def purge(self, queue: str, *, undo: str) -> int:
        """Remove all that waits in a queue, in one step; return how many messages.

        Args:
            queue: Its name.
            undo: Token of :meth:`announce_undo` with the kind ``purge`` and this queue; empty to keep nothing.
        """
        with translate_errors(self.url):
            surgeon, ends_runs = self._parts.surgeon, self.is_own
            if undo:
                return surgeon.purge(queue, undo, ends_runs=ends_runs)
            return surgeon.purge_for_good(queue, ends_runs=ends_runs)

    def reclaim(self, rows: Sequence[UnreadList]) -> int:
        """Move what lies in lists that nobody reads where the queue's workers look; return how many messages."""
        with translate_errors(self.url):
            return self._parts.unread.reclaim(rows)

    def pause(self, queue: str, workers: Sequence[str]) -> bool:
        """Remember that a queue is paused and who consumed it; False when it was paused already."""
        with translate_errors(self.url):
            return self._parts.surgeon.pause(queue, workers)

    def resume(self, queue: str) -> tuple[str, ...] | None:
        """Forget that a queue is paused and return who consumed it; None when it was not paused."""
        with translate_errors(self.url):
            return self._parts.surgeon.resume(queue)

    def publish(self, publication: Publication) -> str:
        """Put a message into a queue of another application, and return the new run's id.

        Raises:
            Invalid: There are several applications, or its arguments can't be written in this one's format.
        """
        from celery_nexus.broker.wire.publishing import publish

        with translate_errors(self.url):
            return publish(self._parts.writer, self._parts.layout, publication)

    def footprint(self) -> tuple[Left, ...]:
        """List the keys that we left on another application's broker.

        Raises:
            Refused: It is our own stack, whose keys are at work.
        """
        from celery_nexus.broker.edit import footprint

        if self.is_own:
            raise Refused("this is the broker of our own stack, whose keys are at work: give --broker URL of another")
        with translate_errors(self.url):
            prefixes = {layout.prefix: layout for layout in (*self.layouts, self._main.layout)}
            return tuple(left for layout in prefixes.values() for left in footprint.find(self._main.writer, layout))

    def remove_replies(self) -> int:
        """Remove answers to remote control that have no expiry and lie there for a while; return how many lists.

        Who asks takes an answer at once: one that is still there a moment later was left behind.
        """
        with translate_errors(self.url):
            client = self._main.writer
            seen = find_replies(client)
            time.sleep(LEAKED_AFTER_S if seen else 0.0)
            return remove_replies(client, seen)

    def remove_footprint(self) -> int:
        """Remove them; return how many are gone."""
        from celery_nexus.broker.edit import footprint

        left = self.footprint()
        with translate_errors(self.url):
            return footprint.remove(self._main.writer, left)

    def announce_undo(self, kind: str, label: str, queue: str = "") -> str:
        """Announce a change that can be taken back for a day, and return its token."""
        with translate_errors(self.url):
            return self._parts.surgeon.trash.open(kind, label, queue)

    def forget_undo(self, token: str) -> None:
        """Forget a change that came to nothing."""
        with translate_errors(self.url):
            self._parts.surgeon.trash.discard(token)

    def keep_undo(self, token: str) -> bool:
        """Tell whether a change took any message; one that did not is forgotten."""
        with translate_errors(self.url):
            return self._parts.surgeon.trash.keep(token)

    def list_undoables(self) -> tuple[Undoable, ...]:
        """List what can be taken back, the latest first."""
        with translate_errors(self.url):
            return self._parts.surgeon.trash.list()

    def measure_kept(self, change: Undoable) -> Kept:
        """Measure what is kept of a change."""
        with translate_errors(self.url):
            return self._parts.surgeon.trash.measure_kept(change)

    def restore(self, change: Undoable) -> Restored:
        """Put the messages of a change back in their order and place, as far as they did not start meanwhile."""
        self._parts.reviver.revive(change)
        with translate_errors(self.url):
            return self._parts.restorer.restore(change)

    def mark_revoked(self, run_ids: Sequence[str]) -> None:
        """Remember that these runs must never start; our workers read this when they start and every few seconds."""
        if not self.is_own:  # stock workers read nothing of ours: they are told by remote control
            return
        with translate_errors(self.url):
            self._parts.announcements.mark_revoked(run_ids)

    def announce_revoked(self, run_ids: Sequence[str]) -> None:
        """Tell the history that these runs were revoked before they started: no worker will."""
        if not self.is_own:  # its history lies with us, and nothing of it on the broker
            return
        with translate_errors(self.url):
            self._parts.announcements.announce_revoked(run_ids)

    def announce_retried(self, run_ids: Sequence[str]) -> None:
        """Tell the history that these runs were given another chance after they had failed."""
        if not self.is_own:
            return
        with translate_errors(self.url):
            self._parts.announcements.announce_retried(run_ids)
