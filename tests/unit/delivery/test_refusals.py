"""What a server refuses for now, and what for good."""

from __future__ import annotations

import pytest
import redis

from celery_nexus.delivery.refusals import WritesRefused, distinguish_refusals, is_for_now

FULL = "MISCONF Errors writing to the AOF file: No space left on device"
IN_PIPELINE = "Command # 1 (SETEX celery-task-meta-1 3600 {...) of pipeline caused error: "


@pytest.mark.parametrize("words", [FULL, IN_PIPELINE + FULL, "NOREPLICAS Not enough good replicas to write."])
def test_a_full_disk_and_missing_replicas_are_for_now_alone_and_in_a_pipeline(words: str) -> None:
    assert is_for_now(redis.ResponseError(words))
    with pytest.raises(WritesRefused, match=r"Errors writing|good replicas"), distinguish_refusals():
        raise redis.ResponseError(words)


@pytest.mark.parametrize("words", ["WRONGTYPE Operation against a key", IN_PIPELINE + "ERR wrong", f"ERR {FULL}"])
def test_other_errors_are_for_good(words: str) -> None:
    assert not is_for_now(redis.ResponseError(words))
    with pytest.raises(redis.ResponseError) as raised, distinguish_refusals():
        raise redis.ResponseError(words)
    assert type(raised.value) is redis.ResponseError


def test_silence_and_full_memory_are_for_now() -> None:
    assert [is_for_now(kind()) for kind in (redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError)] == [
        True,
        True,
        True,
    ]
