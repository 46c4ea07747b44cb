"""Dead letters: messages and runs set aside for a person; listed, shown, retried, dropped.

Reasons: ``malformed`` (no run can be made of it), ``unknown task`` (no worker of its queue knows the task),
``poisoned`` (three starts in a row came to nothing: a process died, or it put its message back).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, cast

import redis

from celery_nexus.delivery import keys, letter_scripts, validation
from celery_nexus.delivery.ends import endings as ends
from celery_nexus.delivery.keys import DELIVERIES_HEADER
from celery_nexus.queues import PRIORITY_SEPARATOR, priority_key
from celery_nexus.rows.dead_letters import DeadLetter

_STEP = 100


class CanNotRetry(Exception):
    """A letter that would only come back; says why."""


class DeadLetters:
    """The dead letters of one broker.

    Args:
        client: Connection to it.
        prefix: kombu's ``global_keyprefix``.
        separator: Between queue and priority in a list's key.
        former: Queues of which an earlier version may have named the list.
    """

    def __init__(
        self,
        client: redis.Redis,
        prefix: str = "",
        separator: str = PRIORITY_SEPARATOR,
        former: frozenset[str] = frozenset(),
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._separator = separator
        self._former = former
        self._names = [prefix + name for name in (keys.DEAD, keys.DEAD_FACTS, keys.DEAD_BYTES)]
        self._take = client.register_script(letter_scripts.TAKE_LETTER)
        self._return = client.register_script(letter_scripts.RETURN_LETTERS)

    def count(self) -> int:
        """Count them."""
        return int(self._client.zcard(self._names[0]))

    def list(self, limit: int = 100) -> list[DeadLetter]:
        """List the newest first, without their bytes; details are as they came, to be masked before they are shown."""
        ids = cast("list[bytes]", self._client.zrevrange(self._names[0], 0, limit - 1))
        if not ids:
            return []
        facts = cast("list[bytes | None]", self._client.hmget(self._names[1], [letter.decode() for letter in ids]))
        return [self._letter(name.decode(), text) for name, text in zip(ids, facts, strict=True) if text]

    def get(self, letter_id: str) -> DeadLetter | None:
        """Show one with its bytes; None when there is none of this id (its own, or its run's)."""
        text = cast("bytes | None", self._client.hget(self._names[1], letter_id))
        if text is None:
            of_run = [letter.id for letter in self.list(limit=10_000) if letter.run_id == letter_id]
            return self.get(of_run[0]) if of_run else None
        raw = cast("bytes | None", self._client.hget(self._names[2], letter_id)) or b""
        return self._letter(letter_id, text, raw)

    def retry(self, letter_id: str, trash: str = "", trash_s: int = 0) -> str | None:
        """Put one back at the end of its priority, its starts forgotten; returns its run's id, None when it is gone.

        Args:
            letter_id: Its own id, or its run's.
            trash: Key of a list that remembers it; see :meth:`take_back`.
            trash_s: How long; 0 for not at all.

        Raises:
            CanNotRetry: It is malformed: it would only come back.
        """
        letter = self.get(letter_id)
        if letter is None:
            return None
        try:
            message = validation.decode(letter.raw)
        except validation.Malformed as problem:
            raise CanNotRetry(f"{letter_id} is malformed and would only come back: {problem}") from None
        for header in (DELIVERIES_HEADER, "redelivered"):
            (message.get("headers") or {}).pop(header, None)
        if letter.counted and keys.PUBLICATION_MARK not in letter.raw:
            message[keys.PUBLICATION] = keys.ADOPTED_PUBLICATION
        list_key = priority_key(letter.queue, letter.priority, self._separator)
        places = [self._prefix + list_key, self._prefix + keys.wake_key(letter.queue)]
        taken = self._take(keys=[*self._names, trash, *places], args=[letter.id, trash_s, json.dumps(message)])
        if taken:
            # It has not failed any more: the recorder would take what the result backend says for its end
            ends.revive(self._client, self._prefix, letter.raw)
        return letter.run_id or letter.id if taken else None

    def drop(self, letter_id: str, trash: str = "", trash_s: int = 0) -> bool:
        """Delete one, or move it to a trash as :meth:`retry` does; False when it is gone."""
        letter = self.get(letter_id)
        return letter is not None and bool(self._take(keys=[*self._names, trash], args=[letter.id, trash_s]))

    def take_back(self, trash: str) -> tuple[int, int]:
        """Undo drops and retries; returns how many letters are back, and how many runs a worker took meanwhile."""
        back = taken = 0
        while True:
            more, gone = cast(
                "tuple[int, int]", self._return(keys=[*self._names, trash, self._prefix + keys.ENDS], args=[_STEP])
            )
            back, taken = back + more, taken + gone
            if not more + gone:  # a step that was refused in its middle answers how far it came
                return back, taken

    def _letter(self, letter_id: str, text: bytes, raw: bytes = b"") -> DeadLetter:
        facts = cast("dict[str, Any]", json.loads(text))
        queue, priority = keys.queue_of(str(facts.get("list", "")), self._separator, self._former)
        return DeadLetter(
            id=letter_id,
            run_id=facts.get("id"),
            task=facts.get("task"),
            reason=str(facts.get("reason", "")),
            detail=str(facts.get("detail", "")),
            queue=queue,
            priority=priority,
            worker=str(facts.get("worker", "")),
            at=datetime.fromtimestamp(float(facts.get("at", 0.0)), UTC),
            counted=bool(facts.get("counted")),
            deliveries=tuple(facts.get("deliveries", ())),
            raw=raw,
        )
