"""Channel operations on whole queues: publish, count, purge."""

# kombu's Redis transport has no complete stubs: what its methods return is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import Any

import redis
from kombu.transport import redis as kombu_redis

from celery_nexus.delivery import keys, refusals, scripts, validation
from celery_nexus.delivery.ends.purging import purge
from celery_nexus.delivery.quick_script import QuickScript
from celery_nexus.delivery.transport.publication import is_run, publication

_kombu: Any = kombu_redis
_Channel: Any = _kombu.Channel
_publish = QuickScript(scripts.PUBLISH)


class PublishMixin(_Channel):
    """Publishes runs in one step of the server."""

    _plain: redis.Redis | None = None

    def _put(self, queue: str, message: validation.Json, **kwargs: Any) -> None:
        if queue in self._expires or not is_run(message):  # answers of remote control, foreign messages
            super()._put(queue, message, **kwargs)
            return
        priority = self.priority(self._get_message_priority(message, reverse=False))
        list_name = self._q_for_pri(queue, priority)
        names, arguments = publication(message, queue, list_name, priority, self.global_keyprefix)
        batch = kwargs.pop("_publish_batch", None)
        if batch is not None:
            batch.add("eval", scripts.PUBLISH, len(names), *names, *arguments)
            return
        with refusals.distinguish_refusals():
            answer = _publish(self.pool, names, arguments)
        if answer == scripts.NOT_COUNTED:
            message["headers"][keys.UNCOUNTED_HEADER] = True

    def _plain_client(self) -> redis.Redis:
        """A client on the channel's pool that prefixes no keys; made once, as that takes longer than publishing."""
        pool = self.pool  # another one after a fork
        if self._plain is None or self._plain.connection_pool is not pool:
            self._plain = redis.Redis(connection_pool=pool)
        return self._plain

    def _size(self, queue: str) -> int:
        """Count what waits in a queue; a key that is no list counts nothing."""
        names = [self.global_keyprefix + self._q_for_pri(queue, step) for step in self.priority_steps]
        pipeline: Any = self._plain_client().pipeline(transaction=False)
        for name in names:
            pipeline.llen(name)
        sizes: list[Any] = pipeline.execute(raise_on_error=False)
        return sum(size for size in sizes if isinstance(size, int))

    def _purge(self, queue: str) -> int:
        """Delete everything that waits in a queue, delayed messages too; the balance sheet has a line for it."""
        steps = [self._q_for_pri(queue, step) for step in self.priority_steps]
        names = [self.global_keyprefix + name for name in (*steps, keys.key_of_delayed(queue))]
        return sum(purge(self._plain_client(), name, self.global_keyprefix) for name in names)
