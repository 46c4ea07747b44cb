"""What becomes of a message that is changed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from celery_nexus.broker.edit.edits import (
    Change,
    Delete,
    DeleteButChords,
    MoveTo,
    NothingToDo,
    Reprioritise,
    Retime,
    check_priority,
)
from celery_nexus.broker.wire.chord_parts import is_chord_part
from celery_nexus.errors import Invalid
from celery_nexus.rows.broker import Message

RAW = b'{"headers": {"eta": "old", "n": 1.0}, "properties": {"priority": 5, "delivery_info": {}}}'


def waiting(raw: bytes = RAW, **changes: Any) -> Message:
    return replace(Message("r", "t", "q", 5, 0, None, None, None, raw=raw), **changes)


def nothing(edit: Any, message: Message) -> tuple[str, bool]:
    with pytest.raises(NothingToDo) as told:
        edit.plan_change(message)
    return str(told.value), told.value.is_done


def test_a_deleted_message_leaves_nothing_and_its_run_ends() -> None:
    assert Delete().plan_change(waiting()) == Change("q", 5, b"", False, "deleted", "deleted", told=True)
    assert Delete(ends="revoked", told=False).plan_change(waiting()) == Change("q", 5, b"", False, "deleted", "revoked")


def test_another_priority_is_written_into_the_message_and_nothing_else() -> None:
    change = Reprioritise(2).plan_change(waiting())
    assert change == Change("q", 2, RAW.replace(b'"priority": 5', b'"priority": 2'), False, "moved to priority 2")


def test_the_front_of_a_priority_can_be_the_own_one() -> None:
    change = Reprioritise(5, front=True).plan_change(waiting())
    assert change == Change("q", 5, RAW, True, "moved to the front of priority 5")
    assert nothing(Reprioritise(5), waiting()) == ("has priority 5 already", True)


def test_a_delayed_message_gets_its_priority_when_due() -> None:
    assert Reprioritise(2).plan_change(waiting(is_delayed=True)).done == "gets priority 2 when due"


def test_a_move_writes_the_route_that_redelivery_and_retry_go_by() -> None:
    change = MoveTo("other").plan_change(waiting())
    assert (change.queue, change.priority, change.front, change.done, change.ends) == (
        "other",
        5,
        False,
        "moved to other",
        "",
    )
    properties = json.loads(change.raw)["properties"]
    assert properties == {"priority": 5, "delivery_info": {"exchange": "other", "routing_key": "other"}}
    assert MoveTo("other", front=True).plan_change(waiting()).front


def test_a_move_leaves_what_is_there_and_what_waits_for_its_time() -> None:
    assert nothing(MoveTo("q"), waiting()) == ("is in q already", True)
    assert nothing(MoveTo("other"), waiting(is_delayed=True)) == ("waits for its time; move it when it is due", False)


def test_another_time_is_written_in_utc() -> None:
    at = datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    change = Retime(at).plan_change(waiting(is_delayed=True))
    assert json.loads(change.raw)["headers"]["eta"] == "2030-01-01T00:00:00+00:00"
    assert change.done == "runs at 2030-01-01T02:00:00+02:00"
    assert (change.queue, change.priority, change.front, change.ends) == ("q", 5, False, "")


def test_a_time_that_is_now_is_none() -> None:
    change = Retime(None).plan_change(waiting(eta=datetime(2030, 1, 1, tzinfo=UTC)))
    assert json.loads(change.raw)["headers"]["eta"] is None
    assert change.done == "runs as soon as a worker is free"


def test_what_waits_for_its_turn_gets_no_time() -> None:
    assert nothing(Retime(None), waiting()) == ("waits for its turn, not for a time", False)


@pytest.mark.parametrize("edit", [Reprioritise(1), MoveTo("other"), Retime(None)])
@pytest.mark.parametrize("raw", [b"nonsense", b"[]", b'{"headers": 1, "properties": 1}'])
def test_what_is_not_celerys_can_not_be_changed(edit: Any, raw: bytes) -> None:
    with pytest.raises(Invalid, match=r"^not a message of Celery: "):
        edit.plan_change(waiting(raw, is_delayed=isinstance(edit, Retime)))


def test_who_goes_to_the_front_does_not_go_back() -> None:
    assert [Reprioritise(1, front).goes_back for front in (True, False)] == [False, True]
    assert [MoveTo("other", front).goes_back for front in (True, False)] == [False, True]
    assert [(edit.front, edit.goes_back) for edit in (Delete(), Retime(None))] == [(False, False)] * 2


@pytest.mark.parametrize("priority", [-1, 10])
def test_a_priority_beyond_the_ten_is_refused(priority: int) -> None:
    with pytest.raises(Invalid, match=rf"^priority {priority}: give one from 0 \(first\) to 9 \(last\)$"):
        check_priority(priority)


def test_the_first_and_the_last_priority_are_there() -> None:
    check_priority(0)
    check_priority(9)


CHORD = b'[[], {}, {"chord": {"task": "body"}}]'


def part(body: bytes, **headers: Any) -> bytes:
    """Write a message of a run, which may be a part of a chord."""
    told = {"body": body.decode(), "headers": {"id": "r", "task": "t"} | headers, "properties": {}}
    return json.dumps(told | {"content-type": "application/json"}).encode()


def test_parts_of_chords_are_left_to_their_own_workers_and_named() -> None:
    edit = DeleteButChords()
    text, is_done = nothing(edit, waiting(part(CHORD)))
    assert (text, is_done) == ("parts of chords: their workers throw them away, and end the chords", True)
    assert edit.plan_change(waiting(part(b"[[], {}, {}]"))) == Change("q", 5, b"", False, "deleted")
    assert edit.parts == ["r"]


@pytest.mark.parametrize(
    ("raw", "is_part"),
    [
        (part(CHORD), True),
        (part(b"[[], {}, {}]", group="g"), False),  # of a group without a body
        (part(b"nonsense", group="g"), True),  # nobody can tell
        (part(b"nonsense"), False),
        (part(CHORD).replace(b"application/json", b"application/data"), False),
        (part(CHORD, group="g").replace(b"application/json", b"application/data"), True),
        (part(CHORD).replace(b'"content-type"', b'"type"'), False),
        (b"nonsense", False),
        (b"[]", False),
    ],
)
def test_a_part_of_a_chord_is_known_by_its_body_or_by_its_group(raw: bytes, is_part: bool) -> None:
    assert is_chord_part(raw) is is_part
