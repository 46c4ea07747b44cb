"""What is kept of a chord until its body is called."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from celery_nexus.delivery import keys
from celery_nexus.delivery.ends.chord_records import ChordRecord, ChordRecords

BODY = {"task": "sum"}


@pytest.fixture
def records(client: Any) -> ChordRecords:
    return ChordRecords(client, "x.", expires_s=1000)


def count(client: Any, group: str = "g") -> None:
    client.set(f"x.celery-taskset-meta-{group}.s", 3, ex=900)
    client.set(f"x.celery-taskset-meta-{group}.t", 1)
    client.sadd(f"x.celery-taskset-meta-{group}.d", "b:1", "a:0")


def test_a_record_is_read_with_what_was_counted(client: Any, records: ChordRecords) -> None:
    records.write("g", BODY, [["a"], ["c", "before c"]])
    count(client)
    found = records.read("g")
    assert found == ChordRecord("g", BODY, (("a",), ("c", "before c")), 4, ("a:0", "b:1"), False, 100.0)
    assert found is not None
    assert (found.task, found.missing) == ("sum", (("c", "before c"),))
    assert (client.ttl("x.celery-taskset-meta-g.b"), client.ttl("x.celery-taskset-meta-g.s")) == (1000, 900)


def test_a_body_has_all_that_a_message_can_have(records: ChordRecords) -> None:
    body = {"task": "sum", "args": [b"\xff", uuid.UUID(int=7), datetime(2030, 1, 2, tzinfo=UTC), Decimal("1.5")]}
    records.write("g", body, [["a"]])
    found = records.read("g")
    assert found is not None
    assert found.body == body


def test_a_chord_whose_body_only_pickle_can_write_begins_without_a_record(
    client: Any, records: ChordRecords, caplog: pytest.LogCaptureFixture
) -> None:
    records.write("g", {"task": "sum", "args": [object()]}, [["a"]])
    assert records.read("g") is None
    assert list(client.scan_iter()) == []
    assert "the chord g can't be finished" in caplog.text


def test_a_chord_whose_body_is_being_called_says_so(client: Any, records: ChordRecords) -> None:
    records.write("g", BODY)
    client.set("x.celery-taskset-meta-g.c", 1)
    found = records.read("g")
    assert found is not None
    assert (found.is_claimed, found.size, found.idle_s, found.members) == (True, None, None, ())


def test_members_that_are_known_are_not_overwritten(records: ChordRecords) -> None:
    records.write("g", BODY, [["a"]])
    records.write("g", {"task": "other"})
    found = records.read("g")
    assert found is not None
    assert (found.body, found.members) == (BODY, (("a",),))
    records.write("g", BODY, [["b"]])
    found = records.read("g")
    assert found is not None
    assert found.members == (("b",),)


@pytest.mark.parametrize("odd", ["nonsense", "[]", "{}", '{"body": 1, "members": []}', '{"body": {}, "members": 1}'])
def test_what_is_no_record_is_none(client: Any, records: ChordRecords, odd: str) -> None:
    assert records.read("g") is None
    client.set("x.celery-taskset-meta-g.b", odd)
    assert records.read("g") is None


def test_chords_are_listed_by_age_and_forgotten_when_they_are_over(client: Any, records: ChordRecords) -> None:
    records.write("young", BODY)
    records.write("old", BODY)
    client.zadd("x." + keys.CHORDS, {"old": time.time() - 500, "too old": time.time() - 2000})
    assert records.groups() == ("too old", "old", "young")
    assert records.groups(older_than_s=400) == ("too old", "old")
    records.write("another", BODY)
    assert "too old" not in records.groups()
    count(client, "old")
    for group in ("old", "young"):
        records.forget_if_over(group)
    assert set(records.groups()) == {"old", "another"}
    assert (records.read("young"), records.is_counting("old"), records.is_counting("young")) == (None, True, False)


def test_a_record_may_live_for_ever(client: Any) -> None:
    records = ChordRecords(client)
    records.write("g", BODY)
    assert client.ttl("celery-taskset-meta-g.b") == -1
    client.set("celery-taskset-meta-g.s", 1, ex=100)
    found = records.read("g")
    assert found is not None
    assert found.idle_s is None
