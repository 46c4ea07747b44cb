"""One effect per key, whatever is delivered twice or killed in the middle."""

from __future__ import annotations

import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
import redis

from celery_nexus.runtime.idempotency import InProgress, Once, marks, run_once
from celery_nexus.task_errors import InvalidArgument, OutcomeUnknown, TransientError
from tests.harness.places import ROOT
from tests.harness.servers import Broker
from tests.integration.mail.conftest import nowhere


@pytest.fixture
def once(client: redis.Redis) -> Once:
    return Once(client, uuid4().hex)


def _abandon(broker: Broker, key: str, *, again: bool = False) -> None:
    """Start an effect in a process that dies in its middle."""
    code = (
        "import os, redis; from celery_nexus.runtime.idempotency import Once;"
        f"Once(redis.Redis.from_url({broker.url!r}), {key!r}).start({{'to': 'a'}}, again={again}); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 9


def test_an_effect_happens_once_and_a_duplicate_gets_the_stored_outcome(once: Once) -> None:
    calls: list[int] = []

    def effect() -> dict[str, int]:
        calls.append(1)
        return {"n": 7}

    assert run_once(once, effect) == {"n": 7}
    assert run_once(once, effect) == {"n": 7}
    assert calls == [1]


def test_an_effect_that_says_it_failed_can_be_tried_again(once: Once) -> None:
    def fails() -> Any:
        raise InvalidArgument("no")

    with pytest.raises(InvalidArgument):
        run_once(once, fails)
    assert run_once(once, lambda: "now") == "now"


def test_of_two_at_the_same_time_the_second_is_told_to_wait(once: Once) -> None:
    once.start()
    with pytest.raises(InProgress) as caught:
        once.start()
    assert caught.value.retry_after_s is not None


def test_a_start_whose_process_died_is_unknown_at_once(broker: Broker, client: redis.Redis) -> None:
    key = uuid4().hex
    _abandon(broker, key)
    mark = Once(client, key).look()
    assert mark is not None
    assert (mark.abandoned, mark.value) == (True, {"to": "a"})
    with pytest.raises(OutcomeUnknown):
        run_once(Once(client, key), lambda: "never")


def test_an_abandoned_effect_can_be_repeated_once_and_not_twice(broker: Broker, client: redis.Redis) -> None:
    key = uuid4().hex
    _abandon(broker, key)
    _abandon(broker, key, again=True)
    with pytest.raises(OutcomeUnknown):
        Once(client, key).start(again=True)


def test_a_start_whose_lease_ended_is_abandoned(client: redis.Redis) -> None:
    once = Once(client, uuid4().hex, lease_s=-1)
    once.start()
    mark = once.look()
    assert mark is not None
    assert mark.abandoned


def test_a_released_effect_keeps_its_note_and_can_start(once: Once) -> None:
    once.start()
    once.release({"accepted": ["a"]})
    mark = once.look()
    assert mark is not None
    assert (mark.state, mark.value) == ("open", {"accepted": ["a"]})
    once.start()


def test_an_unexpected_exception_leaves_the_outcome_unknown_not_repeatable(once: Once) -> None:
    def breaks() -> Any:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run_once(once, breaks)
    with pytest.raises(InProgress):
        run_once(once, lambda: "again")


def test_without_redis_no_effect_happens() -> None:
    once = Once(nowhere(), "x")
    with pytest.raises(TransientError, match="can't be reached"):
        run_once(once, lambda: pytest.fail("must not happen"))


def test_a_mark_goes_away_after_three_days(client: redis.Redis) -> None:
    key = uuid4().hex
    Once(client, key).finish("x")
    assert 259_000 < int(str(client.ttl(f"nexus:once:{key}"))) <= 259_200


def test_many_marks_are_read_at_once(client: redis.Redis) -> None:
    key = uuid4().hex
    Once(client, f"{key}:1").finish("b")
    found = marks(client, [f"{key}:0", f"{key}:1"])
    assert found[0] is None
    assert found[1] is not None
    assert found[1].value == "b"
