"""Dead letters, as operators see and change them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from celery_nexus.broker import BrokerSource
from celery_nexus.broker.read.whole_message import show_message
from celery_nexus.broker.wire.connection import connect, translate_errors
from celery_nexus.connection.keys import TRASH_FOR_S
from celery_nexus.delivery.ends import dead_letters as store
from celery_nexus.errors import NotFound
from celery_nexus.privacy.masking import mask_text
from celery_nexus.rows.dead_letters import DeadLetter
from celery_nexus.rows.outcomes import TargetOutcome


class DeadLetterSource:
    """Reads and changes the dead letters of one broker. May be shared by threads.

    Args:
        broker: The broker: its address and the names of its keys.
    """

    def __init__(self, broker: BrokerSource) -> None:
        self._url = broker.url
        self._layout = broker.layout
        self._broker = broker
        layout = broker.layout
        self._letters = store.DeadLetters(
            connect(broker.url), layout.prefix, layout.separator, frozenset(broker.code.queues.names)
        )

    def count(self) -> int:
        """Count them."""
        with translate_errors(self._url):
            return self._letters.count()

    def list(self, limit: int = 100) -> tuple[DeadLetter, ...]:
        """List the newest first, without their bytes."""
        with translate_errors(self._url):
            return tuple(map(_mask, self._letters.list(limit)))

    def show(self, letter_id: str) -> DeadLetter:
        """Show one, by its id or its run's.

        Raises:
            NotFound: There is none.
        """
        with translate_errors(self._url):
            letter = self._letters.get(letter_id)
        if letter is None:
            raise NotFound(f"no dead letter {letter_id!r}; see: nexus-tui dead-letters")
        shown, is_masked = show_message(letter.raw, self._broker.code)
        return replace(_mask(letter), shown=shown, is_masked=is_masked)

    def retry(self, letter_id: str, undo: str = "") -> TargetOutcome:
        """Put one back into its queue, last in its priority.

        Args:
            letter_id: Its id, or its run's.
            undo: Token under which it can be taken back; empty for not at all.
        """
        with translate_errors(self._url):
            try:
                run_id = self._letters.retry(letter_id, *self._trash(undo))
            except store.CanNotRetry as problem:
                return TargetOutcome(letter_id, False, str(problem))
        if run_id is None:
            return _missing(letter_id)
        self._broker.announce_retried([run_id])
        return TargetOutcome(letter_id, True, "back in its queue")

    def drop(self, letter_id: str, undo: str = "") -> TargetOutcome:
        """Delete one; with a token it can be taken back for a day."""
        with translate_errors(self._url):
            done = self._letters.drop(letter_id, *self._trash(undo))
        return TargetOutcome(letter_id, True, "dropped") if done else _missing(letter_id)

    def ids(self, reasons: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the ids of all letters, or of those with one of these reasons."""
        letters = self.list(limit=max(1, self.count()))
        return tuple(letter.id for letter in letters if not reasons or letter.reason in reasons)

    def _trash(self, undo: str) -> tuple[str, int]:
        return (self._layout.trash_key(undo), TRASH_FOR_S) if undo else ("", 0)


def _missing(letter_id: str) -> TargetOutcome:
    return TargetOutcome(letter_id, False, "no such dead letter", is_missing=True)


def _mask(letter: DeadLetter) -> DeadLetter:
    return replace(letter, detail=mask_text(letter.detail))
