"""What a probe concludes of a broker, and of a beat."""

from __future__ import annotations

import pytest

from celery_nexus.probe.answer import BROKEN, UNKNOWN, WELL
from celery_nexus.probe.programs import find_broker_trouble, judge_beat, read_info

LOCK = "redbeat::lock"
MASTER = {"role": "master", "loading": "0"}


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"loading": "1"}, "loading"),
        ({"cluster_enabled": "1"}, "Redis Cluster"),
        ({"role": "slave"}, "the broker is a replica, which refuses every message"),
        ({"aof_enabled": "1", "aof_last_write_status": "err"}, "append-only file"),
        ({"maxmemory": "1000000", "used_memory": "1000000", "maxmemory_policy": "noeviction"}, "1 of 1 MB are used"),
    ],
)
def test_a_broker_that_takes_no_messages_says_why(info: dict[str, str], words: str) -> None:
    assert words in find_broker_trouble(MASTER | info)


@pytest.mark.parametrize("info", [{}, {"maxmemory": "0", "used_memory": "10"}, {"aof_last_write_status": "err"}])
def test_a_broker_that_takes_messages_is_well(info: dict[str, str]) -> None:
    assert find_broker_trouble(MASTER | info) == ""


def test_what_info_answers_is_read_by_name() -> None:
    assert read_info(b"# Server\r\nrole:master\r\nos:Linux: x\r\n") == {"role": "master", "os": "Linux: x"}


def test_a_beat_that_holds_its_lock_and_is_on_time_is_well() -> None:
    found = judge_beat(LOCK, 26_000, [b"redbeat:send", b"1000"], 990.0)
    assert (found.code, found.line) == (WELL, "a beat holds redbeat::lock for 26 s more unless it renews it")


def test_a_schedule_without_a_beat_is_broken() -> None:
    found = judge_beat(LOCK, -2, [b"redbeat:send", b"1000"], 990.0)
    assert (found.code, found.line) == (BROKEN, "no beat holds redbeat::lock: start celery beat")


def test_a_beat_whose_first_entry_was_due_long_ago_hangs() -> None:
    found = judge_beat(LOCK, 900_000, [b"redbeat:send", b"1000"], 1400.0)
    assert (found.code, found.line) == (
        BROKEN,
        "a beat holds redbeat::lock, and redbeat:send is late by 400 s: restart celery beat",
    )


def test_of_celerys_own_beat_the_broker_tells_nothing() -> None:
    assert judge_beat(LOCK, -2, [], 0.0).code == UNKNOWN


def test_a_beat_without_a_schedule_and_without_an_end_of_its_lock_is_well() -> None:
    assert judge_beat(LOCK, -1, [], 0.0).code == WELL
