"""Removal of one waiting message from its list, and its reinsertion elsewhere, in one step."""

from __future__ import annotations

import time
from typing import cast

import redis

from celery_nexus.broker.edit.edits import Change
from celery_nexus.broker.wire.scripts import TAKE, Script
from celery_nexus.connection.keys import TRASH_FOR_S
from celery_nexus.delivery.ends.endings import Note
from celery_nexus.delivery.layout import Layout
from celery_nexus.errors import Unanswered
from celery_nexus.rows.broker import Message

ASKS, ASK_AGAIN_S = 5, 0.1
"""Most questions for what a command did whose answer was lost, and the pause between two."""


def note_of_end(reason: str, undo: str, *, told: bool) -> str:
    """Write the note of the end of runs whose messages are taken out; empty for none.

    Args:
        reason: Why, in a word of :mod:`celery_nexus.delivery.ends.endings`.
        undo: Token of the change; empty when it can't be taken back.
        told: Whether result backend and history are told by who takes them out: the note is for what hangs on them.
    """
    return Note(reason, undo=undo, told=told).head() if reason else ""


class Taker:
    """Changes single messages of one application. May be shared by threads."""

    def __init__(self, client: redis.Redis, layout: Layout) -> None:
        self._client = client
        self._layout = layout
        self._take = Script(client, TAKE)

    def take(self, message: Message, change: Change, undo: str, *, last_first: bool = False) -> bool:
        """Change a message, if it still waits; tell whether it did.

        Args:
            message: As it was read.
            change: What becomes of it.
            undo: Token of the change; empty when it can't be taken back.
            last_first: Whether it is one of many of which those that run last are taken first.

        Raises:
            Unanswered: The connection broke, and whether the message was changed can't be seen.
        """
        layout = self._layout
        source, target = layout.key(message.queue, message.priority), layout.key(change.queue, change.priority)
        keys = [source, target, layout.trash_key(undo), layout.wake_key(message.queue), layout.wake_key(change.queue)]
        depth = -1 if message.depth is None else message.depth
        place, lives = "front" if change.front else "back", TRASH_FOR_S if undo else 0
        try:
            note = note_of_end(change.ends, undo, told=change.told)
            args = [message.raw, depth, change.raw, place, lives, int(last_first), note]
            return bool(self._take([*keys, layout.counters, layout.ends], args))
        except redis.AuthenticationError:
            raise
        except (redis.ConnectionError, redis.TimeoutError) as error:
            was_taken = self._was_taken(message, undo)
            if was_taken:
                return True
            if was_taken is False and isinstance(error, redis.ConnectionError):
                raise
            told = f"the connection to the broker broke ({error}): whether it was changed is not known"
            raise Unanswered(told) from None

    def _was_taken(self, message: Message, undo: str) -> bool | None:
        """Tell whether the trash holds a message as the last one that was taken; None when nobody can say."""
        for _ in range(ASKS if undo else 0):
            try:
                last = cast("bytes | None", self._client.lindex(self._layout.trash_key(undo), -1))
            except (redis.RedisError, OSError):
                time.sleep(ASK_AGAIN_S)
            else:
                return last is not None and message.raw in last
        return None
