"""Fetching of a worker's messages by a channel: taken in one step, delivered, delayed or set aside.

A channel fetches so only where it must: in a worker (its node name is the transport option ``nexus_node``), for
queues whose messages are acknowledged. Everything else (results of ``inspect``, remote control, any other consumer)
takes kombu's way. The overridden internals are those of kombu 5.7; a test names them.
"""

# kombu's Redis transport has no complete stubs: what its methods return is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import logging
from queue import Empty
from time import monotonic
from typing import Any, cast

import redis
from kombu.transport import redis as kombu_redis
from kombu.utils.encoding import bytes_to_str
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, ResponseError
from redis.retry import Retry

from celery_nexus.delivery import keys, running, scripts, validation
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.leases.in_flight import InFlight
from celery_nexus.delivery.transport.control_channel import ControlMixin
from celery_nexus.delivery.transport.fetch_script import FETCH, FETCH_SHA
from celery_nexus.delivery.transport.publishing import PublishMixin
from celery_nexus.delivery.transport.qos import QoS
from celery_nexus.delivery.transport.routing import RoutingMixin

IDLE_WAIT_S = 0.25
"""Longest delay until an idle worker of few queues notices a message whose producer wakes nobody."""

IDLE_WAIT_S_PER_QUEUE = 0.001
"""The same, for each queue of a worker of many: looking through ten lists takes the server some microseconds."""

FEW_QUEUES = 10
"""Most queues that are looked through whenever the worker was idle."""

MOST_MESSAGES = 8
"""Most messages of one fetch; not more than 10, since their numbers have one digit."""

MIN_WAIT_S = 0.005
REFUSED_WAIT_S = 1.0
"""Pause after the broker refused a fetch (out of memory, read-only, loading)."""

FENCED_WAIT_S = 0.2
"""Pause after a fetch that found the lease gone; it is taken anew meanwhile."""

EARLY_S = 1.0
"""Lead with which a delayed message is delivered; Celery's own timer waits for the rest."""

ACKNOWLEDGE_TIMEOUT_S = 2.0

logger = logging.getLogger(__name__)

_Channel: Any = kombu_redis.Channel  # kombu's transports have no stubs
_parse_response: Any = redis.Redis.parse_response


class FetchMixin(PublishMixin, ControlMixin, RoutingMixin):
    """What our channels add to kombu's, with Sentinel or without."""

    QoS = QoS
    nexus_node: str = ""
    nexus_former_queues: tuple[str, ...] = ()
    from_transport_options = (*_Channel.from_transport_options, "nexus_node", "nexus_former_queues")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._acknowledged_queues: set[str] = set()
        self._fetch_id = ""
        self._unanswered = ""
        self._is_waiting = False
        self._wait_s = IDLE_WAIT_S
        self._look_at = 0.0
        self._queue_count = 0
        self._send_script = True
        self._refused_until = 0.0
        self._in_flight: InFlight | None = None
        super().__init__(*args, **kwargs)

    @property
    def in_flight(self) -> InFlight:
        """What this channel's worker holds."""
        if self._in_flight is None:
            self._in_flight = self.in_flight_of(self.nexus_node)
        return self._in_flight

    @in_flight.setter
    def in_flight(self, held: InFlight) -> None:
        """Share what the worker holds over all its connections, with the lease that protects it."""
        self._in_flight = held

    def in_flight_of(self, node: str) -> InFlight:
        """What a worker of this broker holds; has connections of its own."""
        parameters: dict[str, Any] = {
            **self._connparams(),
            "socket_timeout": ACKNOWLEDGE_TIMEOUT_S,
            "retry": Retry(NoBackoff(), 1),
        }
        client: redis.Redis = redis.Redis(connection_pool=self._pool_beside(parameters))
        return InFlight(client, node, self.global_keyprefix, self.sep, frozenset(self.nexus_former_queues))

    def _pool_beside(self, parameters: dict[str, Any]) -> redis.ConnectionPool:
        return redis.ConnectionPool(**parameters)

    # Consuming

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        """Consume from a queue."""
        if self.nexus_node and not no_ack and queue not in self._fanout_queues:
            self._acknowledged_queues.add(queue)
            _ = self.in_flight
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    @property
    def _is_fetching(self) -> bool:
        return bool(self._acknowledged_queues)

    def _brpop_start(self, timeout: float | None = None) -> None:
        if not self._is_fetching:
            super()._brpop_start(timeout)
            return
        queues: list[str] = self._queue_cycle.consume(len(self.active_queues))
        if not queues or running.is_leaving() or monotonic() < self._refused_until:
            return
        connection = self.client.connection
        before = connection._sock
        connection.check_health()
        if connection._sock is not before or not self._has_given_back():
            return  # connected anew: the event loop has to learn of it first
        self._in_poll = connection
        self._brpop_sent_at = monotonic()
        self._queue_count = len(queues)
        looks = self._is_to_look()
        self._is_waiting = self._is_waiting and not (looks and self._queue_count > FEW_QUEUES)
        commands = [self._fetch_command(queues, looks)]
        if self._is_waiting:  # the server fetches as soon as it is woken: one way there and back
            names = [self.global_keyprefix + keys.wake_key(queue) for queue in queues]
            commands.insert(0, ("BRPOP", *names, self._wait_s))
        self._unanswered = self._fetch_id
        connection.send_packed_command(connection.pack_commands(commands), check_health=False)

    def _has_given_back(self) -> bool:
        """Put back what a fetch took whose answer was lost with its connection; False when that has to wait."""
        if self._unanswered:
            lost = f"{self._unanswered}."
            try:
                for tag in [tag for tag in self.in_flight.entries() if tag.startswith(lost)]:
                    self.in_flight.restore(tag)
            except (redis.RedisError, OSError) as error:
                logger.warning("what a lost answer held is in flight until the broker is back: %s", error)
                return False
            self._unanswered = ""
        return True

    def _fetch_command(self, queues: list[str], looks: bool) -> tuple[Any, ...]:
        self._fetch_id = running.next_fetch_id()
        command = ("EVAL", FETCH) if self._send_script else ("EVALSHA", FETCH_SHA)
        names = (*self.in_flight.fence_keys, self.global_keyprefix + keys.WAITING)
        digits = "".join(str(step) for step in self.priority_steps)
        layout = (self.global_keyprefix, self.sep, digits)
        room = self.qos.can_consume_max_estimate()
        most = MOST_MESSAGES if room is None else max(1, min(MOST_MESSAGES, room))
        limits = (validation.MAX_MESSAGE_BYTES, most, int(looks))
        return (*command, len(names), *names, *self.in_flight.fence, self._fetch_id, *layout, *limits, *queues)

    def _is_to_look(self) -> bool:
        """Tell whether to look through all lists now, for what was pushed by producers that don't say so."""
        now = monotonic()
        if now < self._look_at and not (self._is_waiting and self._queue_count <= FEW_QUEUES):
            return False
        self._look_at = now + max(IDLE_WAIT_S, self._queue_count * IDLE_WAIT_S_PER_QUEUE)
        return True

    def _brpop_read(self, **options: Any) -> bool:
        if not self._is_fetching:
            return super()._brpop_read(**options)
        was_waiting, self._is_waiting = self._is_waiting, False
        try:
            if was_waiting:
                self._read_wake(**options)
            answer = self._read_fetched(**options)
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()
        if isinstance(answer, list):
            for number, list_key, raw, *size in cast("list[list[Any]]", answer):
                tag = FetchedTag(f"{self._fetch_id}.{number} {bytes_to_str(list_key)}")
                if size:
                    self.in_flight.set_aside(
                        tag, "malformed", f"{size[0]} bytes, more than {validation.MAX_MESSAGE_BYTES}"
                    )
                else:
                    self._take(tag, raw)
            return True
        idle_s = IDLE_WAIT_S if self._queue_count <= FEW_QUEUES else self._look_at - monotonic()
        self._wait_s = max(MIN_WAIT_S, idle_s if answer is None else min(idle_s, float(answer)))
        self._is_waiting = True
        raise Empty

    def _read_wake(self, **options: Any) -> None:
        """Read the first of two answers: woken or not, the fetch follows."""
        try:
            self._read_answer("BRPOP", **options)
        except ResponseError as error:
            logger.warning("the broker refuses to wake: %s", error)
            self._refused_until = monotonic() + REFUSED_WAIT_S

    def _read_fetched(self, **options: Any) -> Any:
        """Read what the fetch took.

        Raises:
            Empty: The broker refused to fetch.
        """
        refusal: ResponseError | None = None
        answer: Any = None
        try:
            answer = self._read_answer("EVALSHA", **options)
            self._send_script = False
        except ResponseError as error:
            refusal = error
        self._unanswered = ""  # not so when the connection broke: what the fetch took is put back then
        if refusal is None:
            return answer
        self._deal_with(refusal)
        raise Empty

    def _deal_with(self, refusal: ResponseError) -> None:
        if isinstance(refusal, NoScriptError):
            self._send_script = True
        elif str(refusal).startswith(scripts.FENCED) and self.in_flight.on_fenced is not None:
            self._refused_until = monotonic() + FENCED_WAIT_S
            self.in_flight.on_fenced()
        else:
            self._refused_until = monotonic() + REFUSED_WAIT_S
            logger.warning("the broker refuses to hand out messages: %s", refusal)

    def _read_answer(self, command: str, **options: Any) -> Any:
        try:
            # Not through a prefixing client's parse_response, which cuts keys
            return _parse_response(self.client, self.client.connection, command, **options)
        except self.connection_errors:
            self._send_script = True
            self.client.connection.disconnect()
            raise

    def _take(self, tag: FetchedTag, raw: bytes) -> None:
        """Deliver a fetched message, or send it where it belongs."""
        queue, _ = keys.queue_of(tag.list_key.removeprefix(self.global_keyprefix), self.sep)
        self._queue_cycle.rotate(queue)
        if self._closing or running.is_leaving() or queue not in self._active_queues:  # since the fetch was sent
            self.in_flight.restore(tag)
            return
        try:
            message = validation.decode(raw)
        except validation.Malformed as problem:
            run_id, task = validation.run_of(validation.decode_loosely(raw))
            if run_id and keys.PUBLICATION_MARK not in raw:
                tag = self.in_flight.adopt(tag)  # it ends as a run that failed: the balance sheet has to know it
            self.in_flight.set_aside(tag, "malformed", str(problem), id=run_id, task=task)
            return
        if keys.PUBLICATION_MARK not in raw:
            tag = self.in_flight.adopt(tag)
            if tag.is_adopted and isinstance(message.get("headers"), dict):
                message["headers"][keys.ADOPTED_HEADER] = True
        due_at = validation.due_at(message.get("headers"))
        if due_at is not None and due_at > running.now() + EARLY_S:
            self.in_flight.delay(tag, due_at)
            return
        message["properties"]["delivery_tag"] = tag
        self._deliver_guarded(tag, message, queue)

    def _deliver_guarded(self, tag: FetchedTag, message: validation.Json, queue: str) -> None:
        try:
            self.connection._deliver(message, queue)
        except (redis.ConnectionError, redis.TimeoutError, OSError):
            raise
        except (ValueError, TypeError, KeyError, AttributeError, LookupError, RecursionError, MemoryError) as error:
            # The consumer guards its own part: what arrives here could not be made a kombu message
            run_id, task = validation.run_of(message)
            detail = f"{type(error).__name__}: {error}"
            if self._can_be_made(message):
                logger.warning("put back %s, which could not be delivered: %s", run_id, detail)
                is_dealt_with = self.in_flight.restore(tag, first=False)
            else:
                is_dealt_with = self.in_flight.set_aside(tag, "malformed", detail, id=run_id, task=task)
            if not is_dealt_with:
                raise
            self.qos.forget(tag)

    def _can_be_made(self, message: validation.Json) -> bool:
        """Tell whether kombu can make a message of it: whether an error was not the message's own."""
        try:
            self.Message(message, channel=self)
        except (ValueError, TypeError, KeyError, AttributeError, LookupError, RecursionError, MemoryError):
            return False
        return True

    # Ending

    def close(self) -> None:
        """Close; kombu 5.7.0 fails when the transport was detached before."""
        self._closing = True
        if self._in_poll:
            try:
                self._brpop_read()
            except (Empty, *self.connection_errors):
                self._in_poll = None
        try:
            super().close()
        except AttributeError:
            if getattr(self.connection, "client", None) is not None:
                raise
            self.closed = True  # what is unacknowledged stays in flight and is put back at the reconnect
