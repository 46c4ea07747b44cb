"""What a publisher is told of a message that no worker would take."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from kombu.exceptions import EncodeError

from benchmarks.faults.malformed import message
from celery_nexus.delivery import validation
from celery_nexus.delivery.transport.publication import MessageTooLarge, publication
from celery_nexus.task_errors import TaskError


def of_size(size: int) -> dict[str, Any]:
    """Make a message of exactly so many bytes once it names its publication."""
    made = message("t.note", ())
    made["properties"]["nexus_publication"] = "p"
    made["body"] += "x" * (size - len(json.dumps(made)))
    return made


def publish(made: dict[str, Any]) -> str:
    return str(publication(made, "q", "q", 0, "")[1][0])


def test_a_message_of_the_largest_size_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "MAX_MESSAGE_BYTES", 5_000)
    assert len(publish(of_size(5_000))) == 5_000


def test_a_larger_one_is_refused_with_the_limit_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "MAX_MESSAGE_BYTES", 5_000)
    with pytest.raises(MessageTooLarge) as told:
        publish(of_size(5_001))
    assert str(told.value) == (
        "message_too_large: t.note was not queued: its message: 5,001 bytes, and 5,000 are allowed;"
        " put the content into a file and pass its path, or split it"
    )


def test_a_compressed_one_is_as_large_as_workers_would_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "MAX_BODY_BYTES", 1_000)
    for size, is_taken in ((1_000, True), (1_001, False)):
        made = message("t.note", compression="gzip")
        made["body"] = base64.b64encode(zlib.compress(b" " * size)).decode()
        if is_taken:
            publish(made)
        else:
            with pytest.raises(MessageTooLarge, match="the body has more than 1000 bytes when decompressed; put the"):
                publish(made)


def test_it_is_an_error_for_people_and_one_with_which_celery_lets_a_run_fail() -> None:
    assert issubclass(MessageTooLarge, TaskError)
    assert issubclass(MessageTooLarge, EncodeError)
