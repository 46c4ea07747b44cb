"""Only what validation named is set aside as malformed; a message that met another error is put back."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from celery_nexus.delivery.worker import consumer

PAYLOAD = [[], {}, {}]


class Consumer(consumer.Consumer):
    """One that was not started; notes what it sets aside."""

    def __init__(self) -> None:
        self._failures = Counter()
        self.aside: list[tuple[str, str]] = []

    def set_aside(self, message: Any, reason: str, problem: Exception) -> None:
        self.aside.append((reason, str(problem)))


class Message(SimpleNamespace):
    """A well-formed message that notes what becomes of it."""

    def __init__(self, payload: Any = PAYLOAD) -> None:
        super().__init__(
            payload=payload, headers={"task": "t", "id": "r1"}, acknowledged=False, delivery_tag="1", put=0
        )

    def reject(self, requeue: bool) -> None:
        assert requeue
        self.put += 1


def handler(monkeypatch: pytest.MonkeyPatch, worker: Consumer, error: BaseException) -> Any:
    """The worker's handler of messages, where Celery's own raises an error."""

    def fail(_message: Any) -> None:
        raise error

    monkeypatch.setattr(consumer._Consumer, "create_task_handler", lambda _self, _promise: fail)
    return worker.create_task_handler()


@pytest.mark.parametrize(
    "error",
    [RuntimeError("can't switch greenlets in the event loop"), KeyError("pool"), ValueError("not the message's")],
)
def test_an_error_that_is_not_the_messages_own_puts_it_back(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    worker, message = Consumer(), Message()
    handler(monkeypatch, worker, error)(message)
    assert (message.put, worker.aside) == (1, [])


def test_a_message_that_can_not_be_taken_three_times_is_set_aside_as_poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, message = Consumer(), Message()
    handle = handler(monkeypatch, worker, RuntimeError("always"))
    for _ in range(3):
        handle(message)
    assert (message.put, worker.aside) == (2, [("poisoned", "always")])


def test_a_malformed_body_is_set_aside_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, message = Consumer(), Message(payload={"no": "list"})
    handler(monkeypatch, worker, RuntimeError("never reached"))(message)
    assert (message.put, worker.aside) == (0, [("malformed", "the body is not [args, kwargs, embed]")])


@pytest.mark.parametrize("error", [redis.ConnectionError("gone"), OSError("reset"), SystemExit(0)])
def test_a_lost_connection_and_an_exit_leave_the_message_to_the_reconnect(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    worker, message = Consumer(), Message()
    with pytest.raises(type(error)):
        handler(monkeypatch, worker, error)(message)
    assert (message.put, worker.aside) == (0, [])


def test_an_error_after_the_acknowledgement_is_raised_since_the_message_is_nobodys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker, message = Consumer(), Message()
    message.acknowledged = True
    with pytest.raises(RuntimeError, match="late"):
        handler(monkeypatch, worker, RuntimeError("late"))(message)
    assert (message.put, worker.aside) == (0, [])
