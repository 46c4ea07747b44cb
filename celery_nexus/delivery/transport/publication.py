"""Keys and arguments of the script that publishes a message."""

from __future__ import annotations

import uuid
from typing import Any, cast

from kombu.exceptions import EncodeError
from kombu.utils.json import dumps

from celery_nexus.delivery import keys, validation
from celery_nexus.task_errors import TaskError


class MessageTooLarge(TaskError, EncodeError):
    """A message is larger than workers take. Celery lets a run fail with it whose next of a chain is too large."""

    code = "message_too_large"


def is_run(message: validation.Json) -> bool:
    """Tell whether a message starts a run."""
    headers: Any = message.get("headers")
    return isinstance(headers, dict) and "task" in headers


def publication(
    message: validation.Json, queue: str, list_name: str, priority: int, prefix: str
) -> tuple[list[str], list[Any]]:
    """Make the keys and arguments of ``scripts.PUBLISH``; names the publication in the message.

    Args:
        message: Of a run.
        queue: Where it goes.
        list_name: The queue's list of its priority.
        priority: Its priority.
        prefix: kombu's ``global_keyprefix``.

    Raises:
        MessageTooLarge: No worker would take it.
    """
    headers = cast("validation.Json", message["headers"])
    # kombu keeps the properties, and nothing else, when it tries the same publication again
    name = message["properties"].setdefault(keys.PUBLICATION, uuid.uuid4().hex)
    payload: str = dumps(message)
    _check_size(message, payload)
    due_at = validation.due_at(headers)
    member = b"" if due_at is None else keys.encode_delayed_member(priority, payload.encode())
    names = [
        list_name,
        keys.wake_key(queue),
        keys.COUNTERS,
        keys.key_of_delayed(queue),
        keys.publication_key(str(headers.get("id"))),
    ]
    counter = keys.RETRIED if headers.get("retries") else keys.SUBMITTED
    due = "" if due_at is None else repr(due_at)
    return [prefix + key for key in names], [payload, counter, due, member, f"{name} {queue}", keys.REPEAT_S]


def _check_size(message: validation.Json, payload: str) -> None:
    if len(payload) > validation.MAX_MESSAGE_BYTES:
        raise MessageTooLarge(
            _advice(message, f"{len(payload):,} bytes, and {validation.MAX_MESSAGE_BYTES:,} are allowed")
        )
    try:
        validation.check_body_size(message)
    except validation.Malformed as problem:
        raise MessageTooLarge(_advice(message, str(problem))) from None


def _advice(message: validation.Json, problem: str) -> str:
    task = message["headers"].get("task")
    return f"{task} was not queued: its message: {problem}; put the content into a file and pass its path, or split it"
