"""Celery's events, written to our stream beside the pub/sub events of stock Celery.

``install`` makes :class:`StreamEvents` the application's ``app.events``, the only hook. Every dispatcher of the
application then writes each event to the stream, whatever the worker's ``-E`` and remote control say; the pub/sub
events keep Celery's own rules: heartbeats always, task events from when somebody enables them (as Flower does), and
``task-sent`` never, which is Celery's default. Events of the stream carry more than Celery's: full arguments,
queue and priority.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher
from celery.signals import task_received

from celery_nexus.canvas import encode_plan, read_plan
from celery_nexus.connection.errors import BrokerUrlError
from celery_nexus.connection.keys import SENT_AT_HEADER
from celery_nexus.delivery import running
from celery_nexus.delivery.keys import ADOPTED_HEADER, UNCOUNTED_HEADER
from celery_nexus.delivery.leases.heartbeats import BEAT_AT
from celery_nexus.history.capture.code_identity import identify_code
from celery_nexus.history.capture.redaction import redact_arguments, redact_error, redact_traceback
from celery_nexus.history.capture.stream_writer import StreamWriter
from celery_nexus.installation import broker_of, prefix_of
from celery_nexus.privacy.masking import mask, mask_text

if TYPE_CHECKING:
    from celery import Celery

HEARTBEAT_INTERVAL_S = 10.0
"""Interval of heartbeats in the stream, one of five; the hash of workers gets each, every 2 s."""

_SMALL_RESULT = 16
PRIVATE_RESULT = '"‹private›"'
"""Replacement, as JSON, of a result that its task keeps private."""

_local = threading.local()
_private_results: set[str] = set()
"""Ids of what this worker has received and not ended, of tasks with a private result."""

_Message = tuple[Any, Mapping[str, Any], Mapping[str, Any]]
_started_at = time.time()


def remember_message(body: Any, headers: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
    """Remember what this thread is about to publish: Celery's own event of it has neither arguments nor priority."""
    _local.message = (body, headers, properties)


@task_received.connect
def _remember_request(request: Any = None, **_: Any) -> None:
    _local.request = request


class StreamEvents(Events):
    """Celery's ``app.events`` with a way into the stream."""

    dispatcher_cls = "celery_nexus.history.capture.dispatcher:StreamDispatcher"

    @cached_property
    def writer(self) -> StreamWriter:
        """The process's way into the stream."""
        app = cast("Celery", self.app)
        return StreamWriter(_stream_url(app), prefix_of(app))

    def record(self, type_: str, hostname: str, **fields: Any) -> None:
        """Write one event to the stream alone, at once; never fails and never waits for long."""
        self.writer.add(_event(type_, hostname, fields))
        self.writer.flush()


class StreamDispatcher(EventDispatcher):
    """Writes each event to the stream; hands those that stock Celery would send to it."""

    on_send_buffered: Callable[[], None] | None
    _on_stream = False
    _on_pubsub = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._on_stream = True
        self._is_closed = False
        self._heartbeat_written_at = 0.0

    @property
    def enabled(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether anybody wants events: workers ask before they make one."""
        return self._on_stream or self._on_pubsub

    @enabled.setter
    def enabled(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._on_pubsub = value

    def disable(self) -> None:
        """Say nothing more of the worker, which lost its connection or ends.

        Runs that go on in threads or greenlets meanwhile end in the stream all the same: it has a way of its own.
        """
        if not self._is_closed:
            self._is_closed = True
            self._writer.flush()
            super().disable()

    def send(self, type: str, *args: Any, **kwargs: Any) -> Any:
        """Write an event of a worker to the stream, and send it if pub/sub is on for its group."""
        if self._on_stream and not (self._is_closed and type.startswith("worker-")):
            self._write(type, kwargs)
        return super().send(type, *args, **kwargs) if self._on_pubsub else None

    def publish(self, type: str, fields: Any, producer: Any, *args: Any, **kwargs: Any) -> Any:
        """Write an event of a publisher to the stream; all but ``task-sent`` go to pub/sub, too."""
        if type == "task-sent":
            self._writer.add(_sent_event(cast("Celery", self.app), self.hostname, fields))
            self._writer.flush()
            return None
        self._write(type, fields)
        return super().publish(type, fields, producer, *args, **kwargs)

    def flush(self, errors: bool = True, groups: bool = True) -> None:
        """Write what is buffered; the worker calls it once in each round of its event loop."""
        self._writer.flush()
        super().flush(errors, groups)

    @property
    def _writer(self) -> StreamWriter:
        return cast("StreamEvents", cast("Celery", self.app).events).writer

    def _write(self, type_: str, fields: dict[str, Any]) -> None:
        writer = self._writer
        fields = {name: value for name, value in fields.items() if name not in _NOT_FIELDS}
        if type_.startswith("worker-"):
            self._write_worker(writer, type_, fields)
            return
        writer.add(_task_event(cast("Celery", self.app), type_, self.hostname, fields))
        if self.on_send_buffered is None or self._is_closed or self._is_solo:
            writer.flush()
        else:
            self.on_send_buffered()

    @cached_property
    def _is_solo(self) -> bool:
        # A solo pool runs tasks inside the event loop: what waits for its next round waits for the task's end.
        consumer = getattr(self.on_send_buffered, "__self__", None)
        return type(getattr(consumer, "pool", None)).__module__ == "celery.concurrency.solo"

    def _write_worker(self, writer: StreamWriter, type_: str, fields: dict[str, Any]) -> None:
        if type_ == "worker-online":
            app = cast("Celery", self.app)
            fields |= {"application": str(app.main or ""), "code": identify_code(app)}
        event = _event(type_, self.hostname, fields | {"started_at": _started_at})
        writer.note_worker(self.hostname, None if type_ == "worker-offline" else event | {BEAT_AT: running.now()})
        now = time.monotonic()
        if type_ != "worker-heartbeat" or now - self._heartbeat_written_at >= HEARTBEAT_INTERVAL_S:
            self._heartbeat_written_at = now
            writer.add(event)
        writer.flush()


_NOT_FIELDS = frozenset({"blind", "utcoffset", "retry", "retry_policy", "Event"})


def _stream_url(app: Celery) -> str | None:
    url = str(app.conf.broker_write_url or app.conf.broker_url or "")
    if url.startswith(("memory:", "filesystem:")):
        return None
    try:
        return broker_of(app).redis_py
    except BrokerUrlError:  # events of a broker that is no Redis go the way of Celery's alone
        return None


def _event(type_: str, hostname: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": type_, "timestamp": running.now(), "hostname": hostname, "pid": os.getpid(), **fields}


def _sent_event(app: Celery, hostname: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    event = _event("task-sent", hostname, dict(fields))
    message: _Message | None = getattr(_local, "message", None)
    _local.message = None
    if message is not None and message[1].get("id") == fields.get("uuid"):
        body, headers, properties = message
        event["timestamp"] = headers.get(SENT_AT_HEADER) or event["timestamp"]
        event["priority"] = properties.get("priority")
        event["group"] = headers.get("group")
        if headers.get(UNCOUNTED_HEADER):
            event["uncounted"] = True
        event["args"], event["kwargs"] = redact_arguments(app, str(fields["name"]), body[0] or (), body[1] or {})
        _add_plan(event, body)
    else:
        event["args"], event["kwargs"] = mask_text(str(fields.get("args"))), mask_text(str(fields.get("kwargs")))
    event.pop("exchange", None)
    event.pop("routing_key", None)
    return event


def _task_event(app: Celery, type_: str, hostname: str, fields: dict[str, Any]) -> dict[str, Any]:
    if type_ == "task-received":
        fields = _received_fields(app, fields)
    elif type_ == "task-succeeded":
        result = fields.get("result")
        if fields.get("uuid") in _private_results:
            fields["result"], fields["result_json"] = None, PRIVATE_RESULT
        elif not isinstance(result, str):
            fields["result"] = mask(result)
        elif len(result) > _SMALL_RESULT:
            fields["result"] = mask_text(result)
    elif type_ in {"task-failed", "task-retried"}:
        fields["exception"] = redact_error(str(fields.get("exception") or ""))
        fields["traceback"] = redact_traceback(str(fields.get("traceback") or ""))
    elif not type_.startswith("task-") or type_ not in _PLAIN:
        fields = mask(fields)
    if type_ in _ENDS:
        _private_results.discard(str(fields.get("uuid")))
    return _event(type_, hostname, fields)


def _add_plan(event: dict[str, Any], body: Any) -> None:
    """Tell what follows the run: only its message knows, and that is gone when the run has ended."""
    parts = cast("list[Any]", body) if isinstance(body, list | tuple) else []
    embed: Mapping[str, Any] | None = parts[2] if len(parts) == 3 else None
    if embed and any(embed.values()):
        event["ahead"] = encode_plan(read_plan(embed))


_ENDS = frozenset({"task-succeeded", "task-failed", "task-retried", "task-revoked", "task-rejected", "task-cancelled"})
_PLAIN = frozenset({"task-started", "task-revoked", "task-rejected", "task-cancelled"})


def _received_fields(app: Celery, fields: dict[str, Any]) -> dict[str, Any]:
    """Complete a ``task-received``: queue and priority, and the arguments where their publisher sends no event."""
    request = getattr(_local, "request", None)
    _local.request = None
    args, kwargs = fields.pop("args", None), fields.pop("kwargs", None)
    if request is None or request.id != fields.get("uuid"):
        return fields | {"args": mask_text(str(args)), "kwargs": mask_text(str(kwargs))}
    if getattr(request.task, "private_result", False):
        _private_results.add(request.id)
    fields["queue"] = request.delivery_info.get("routing_key")
    fields["priority"] = request.delivery_info.get("priority")
    fields["group"] = request.request_dict.get("group")
    if request.request_dict.get(ADOPTED_HEADER):
        fields["adopted"] = True
    sent_at = request.request_dict.get(SENT_AT_HEADER)
    fields["sent_at"] = sent_at
    if sent_at is None:
        name = str(fields["name"])
        fields["args"], fields["kwargs"] = redact_arguments(app, name, request.args or (), request.kwargs or {})
        _add_plan(fields, getattr(request, "_payload", None))
    return fields
