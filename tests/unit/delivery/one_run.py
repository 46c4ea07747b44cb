"""A request without a broker: its channel notes what happens, in its order."""

from __future__ import annotations

from typing import Any

import pytest
from billiard.einfo import ExceptionInfo
from celery import Celery
from kombu.message import Message

from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.worker.request import Request

TAG = FetchedTag("001 q")
FOREIGN = "amq.ctag"


class Channel:
    """What a request's channel has; notes what happens, in its order."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.may_start: Any = True
        self.raw: bytes | None = b"raw"
        self.call_soon: Any = None
        self.handed_over = frozenset[Any]()
        self.in_flight, self.qos, self.no_ack_consumers = self, self, set[str]()

    def start(self, tag: Any) -> bool:
        self.done.append(("start", tag))
        if isinstance(self.may_start, Exception):
            raise self.may_start
        return bool(self.may_start)

    def restore_later(self, tag: Any) -> None:
        self.done.append(("restore later", tag))

    def forget(self, tag: Any) -> None:
        self.done.append(("forget", tag))

    def forget_start(self, tag: Any) -> None:
        self.done.append(("forget start", tag))

    def get(self, _tag: Any) -> bytes | None:
        return self.raw

    def progress(self, _tag: Any) -> float:
        return 7.0

    def basic_ack(self, tag: Any, *_: Any, **__: Any) -> None:
        self.done.append(("acknowledge", tag))

    def basic_reject(self, tag: Any, requeue: bool) -> None:
        self.done.append(("reject", tag, requeue))


def _do_nothing() -> None:
    """Be a task."""


class Run:
    """A request of a task, and what is noted of it."""

    def __init__(self, tag: Any = TAG, kind: type[Any] = Request, body: Any = ([], {}, {}), **headers: Any) -> None:
        self.channel = Channel()
        app: Any = Celery("t", backend="cache+memory://", set_as_current=False)
        app.conf.task_acks_late = True
        self.task: Any = app.task(_do_nothing, name="t.run", shared=False)
        message: Any = Message(
            body=body, channel=self.channel, delivery_tag=tag, headers={"id": "r1", "task": "t.run", **headers}
        )
        message._decoded_cache = body
        self.request: Any = kind(
            message, app=app, task=self.task, on_ack=message.ack_log_error, on_reject=message.reject_log_error
        )
        self.request.send_event = self._note_event

    def _note_event(self, name: str, **facts: Any) -> None:
        self.channel.done.append((name, facts["requeue"]) if "requeue" in facts else name)

    @property
    def done(self) -> list[Any]:
        return self.channel.done

    def fail(self, error: BaseException) -> None:
        """Let the run end by an error."""
        with pytest.raises(type(error)) as raised:
            raise error
        self.request.on_failure(ExceptionInfo((raised.type, raised.value, raised.tb)))
