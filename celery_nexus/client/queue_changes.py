"""Changes of whole queues, and of what was set aside, by the public Python interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_nexus.actions.chords import FinishChords
from celery_nexus.actions.dead_letters import DropDeadLetters, RetryDeadLetters
from celery_nexus.actions.footprint import RemoveFootprint
from celery_nexus.actions.messages import DeleteMessages
from celery_nexus.actions.queues import PauseQueue, PurgeQueue, ReclaimMessages, ResumeQueue
from celery_nexus.actions.replies import RemoveReplies
from celery_nexus.client.changing import Changing, Names, list_names
from celery_nexus.errors import Invalid
from celery_nexus.rows.selection import Selection

if TYPE_CHECKING:
    from celery_nexus.rows.outcomes import Outcome


class QueueChanges(Changing):
    """Pause, resume, purge and reclaim queues; retry or drop dead letters; clean up."""

    def pause(self, queue: str) -> Outcome:
        """Stop all workers from taking anything more from a queue; Celery's own forget it when they restart.

        >>> nexus.pause("celery").message.partition(".")[0]
        'celery: paused; no worker is there to be told'
        """
        return self.perform(PauseQueue(queue))

    def resume(self, queue: str) -> Outcome:
        """Let the workers of a paused queue take from it again.

        >>> nexus.resume("celery").message
        'celery: resumed; no worker is there to be told'
        """
        return self.perform(ResumeQueue(queue))

    def purge(self, queue: str, *, filter_text: str = "", for_good: bool = False) -> Outcome:
        """Delete everything that waits in a queue, in one step. For a day :meth:`undo` brings it back.

        Args:
            queue: Its name.
            filter_text: Only what matches, message by message.
            for_good: Whether nothing is kept for an undo; a broker that is full accepts that.

        >>> nexus.purge("celery", filter_text="task:shop.nap").message
        'celery: deleted 1'
        >>> nexus.purge("celery").message
        'celery: purged 1 messages'
        """
        if not filter_text:
            return self.perform(PurgeQueue(queue, for_good))
        if for_good:
            raise Invalid("for_good is about all of a queue: without filter_text")
        return self.perform(DeleteMessages((), within=Selection(queue, filter_text)))

    def reclaim(self, queue: str) -> Outcome:
        """Move what lies in lists of a queue that no worker reads to where its workers look.

        >>> nexus.reclaim("celery").message
        'celery: every list is read: nothing to do'
        """
        return self.perform(ReclaimMessages(queue))

    def dead_letters_retry(self, letters: Names = (), *, reasons: Names = (), every: bool = False) -> Outcome:
        """Put dead letters back into their queues: by ids of their own or their runs, by reasons, or all.

        >>> nexus.dead_letters_retry(every=True)
        Traceback (most recent call last):
        celery_nexus.errors.Invalid: there is no such dead letter
        """
        return self.perform(RetryDeadLetters(*_letters(letters, reasons, every=every)))

    def dead_letters_drop(self, letters: Names = (), *, reasons: Names = (), every: bool = False) -> Outcome:
        """Delete dead letters, by ids, by reasons, or all. For a day :meth:`undo` brings them back.

        >>> nexus.dead_letters_drop("0123").targets[0].message
        'no such dead letter'
        """
        return self.perform(DropDeadLetters(*_letters(letters, reasons, every=every)))

    def chords_finish(self, groups: Names = (), *, every: bool = False) -> Outcome:
        """Finish chords that can't end, by their group ids, or all: members that are nowhere count as revoked.

        >>> nexus.chords_finish(every=True).message
        'chords: every chord can end'
        """
        ids = list_names(groups)
        if bool(ids) == every:
            raise Invalid("give chords by their group ids, or every=True")
        return self.perform(FinishChords(ids, every))

    def remove_replies(self) -> Outcome:
        """Remove answers to remote control that lie on the broker without an expiry.

        >>> nexus.remove_replies().targets[0].message
        '0 lists of answers removed'
        """
        return self.perform(RemoveReplies())

    def footprint_remove(self) -> Outcome:
        """Remove every key that Nexus wrote on another application's broker, its log of changes among them.

        >>> nexus.footprint_remove().targets[0].message
        '... keys of ours removed'
        """
        return self.perform(RemoveFootprint())


def _letters(letters: Names, reasons: Names, *, every: bool) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """Make sure that ids, reasons, or all are meant, as the fields of the actions have them."""
    ids, why = list_names(letters), list_names(reasons)
    if sum(map(bool, (ids, why, every))) != 1:
        raise Invalid("give dead letters by their ids, or reasons, or every=True")
    return ids, every, why
