"""Notes of runs that will not run: carried out once, in their order, or taken back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from celery_nexus.connection.keys import EVENT_STREAM
from celery_nexus.delivery import keys
from celery_nexus.delivery.ends import endings as ends
from celery_nexus.delivery.ends.endings import DELETED, MALFORMED, PURGED, REVOKED, Ends, Note

RAW = b'{"headers": {"id": "a", "task": "t"}, "nexus_publication": "p"}'


def test_a_note_is_read_as_it_was_written() -> None:
    note = Note("purged", "why", "undo", True, ("l1", "l2"), 7, True, "group", "w", b"bytes\nof two lines")
    assert ends.parse(note.encode()) == note
    assert Note(DELETED).head() == '{"reason": "deleted"}'


@pytest.mark.parametrize("odd", [b"", b"nonsense", b"[]\n", b'{"reason": 7}\nraw'])
def test_what_is_no_note_is_none(odd: bytes) -> None:
    assert ends.parse(odd) is None


def test_odd_facts_of_a_note_are_nothing() -> None:
    assert ends.parse(b'{"reason": "purged", "lists": "l", "place": "1"}\n') == Note("purged")


@pytest.mark.parametrize(
    ("reason", "raw", "is_counted"),
    [(DELETED, RAW, True), (PURGED, RAW, True), (REVOKED, RAW, False), (DELETED, b"", False)],
)
def test_what_operators_delete_has_a_line_in_the_balance(reason: str, raw: bytes, is_counted: bool) -> None:
    assert Note(reason, raw=raw).is_counted == is_counted


def test_notes_are_carried_out_in_their_order_and_odd_ones_are_dropped(client: Any) -> None:
    notes, done = Ends(client), list[Note]()
    assert notes.carry_out(done.append, 10) == 0
    for number in (b"1", b"2"):
        notes.add(Note(DELETED, raw=number))
        client.rpush(keys.ENDS, "nonsense")
    assert notes.carry_out(done.append, 10) == 4
    assert [note.raw for note in done] == [b"1", b"2"]
    assert list(client.scan_iter()) == []


def test_who_has_no_more_time_leaves_the_rest(client: Any) -> None:
    notes, done = Ends(client), list[Note]()
    for number in (b"1", b"2"):
        notes.add(Note(DELETED, raw=number))
    assert notes.carry_out(done.append, 0) == 1
    assert [ends.parse(row) for row in client.lrange(keys.ENDS, 0, -1)] == [Note(DELETED, raw=b"2")]


def test_a_note_that_can_not_be_carried_out_stays_first(client: Any) -> None:
    notes = Ends(client)
    notes.add(Note(DELETED, raw=b"1"))

    def fail(_: Note) -> None:
        raise ValueError("later")

    with pytest.raises(ValueError, match=r"^later$"):
        notes.carry_out(fail, 10)
    assert client.llen(keys.ENDS) == 1
    assert not client.exists(keys.ENDS_LOCK)


def test_one_process_at_a_time_carries_out(client: Any) -> None:
    notes, done = Ends(client), list[Note]()
    notes.add(Note(DELETED, raw=b"1"))
    with Ends(client).hold_lock(patience_s=0) as renew:
        assert renew is not None
        renew()
        assert 0 < client.ttl(keys.ENDS_LOCK) <= ends.LOCK_S
        assert notes.carry_out(done.append, 10) == 0
        with notes.hold_lock(patience_s=0.01) as other:
            assert other is None
    assert notes.carry_out(done.append, 10) == 1


@pytest.mark.parametrize("keeps", [True, False])
def test_purged_lists_end_message_by_message_slice_by_slice(client: Any, keeps: bool) -> None:
    notes, done = Ends(client), list[Note]()
    client.rpush("l1", *range(150))
    client.zadd("l2", {"5first": 1, "0second": 2})
    note = Note(PURGED, "d", "u", lists=("l1", "l2"), keeps=keeps)
    notes.add(note)
    assert notes.carry_out(done.append, 0) == 100
    assert [ends.parse(row) for row in client.lrange(keys.ENDS, 0, -1)] == [
        Note(PURGED, "d", "u", lists=("l1", "l2"), place=100, keeps=keeps)
    ]
    assert notes.carry_out(done.append, 10) == 52
    assert [one.raw for one in done] == [*(b"%d" % number for number in range(150)), b"first", b"second"]
    assert {(one.reason, one.detail, one.undo, one.told, one.lists) for one in done} == {(PURGED, "d", "u", False, ())}
    assert sorted(client.scan_iter()) == ([b"l1", b"l2"] if keeps else [])


def test_the_notes_of_a_change_that_is_taken_back_are_dropped(client: Any) -> None:
    notes = Ends(client)
    for number in range(250):
        notes.add(Note(DELETED, undo="mine" if number % 2 else "other", raw=b"%d" % number))
    dropped = notes.forget("mine")
    assert sorted(int(note.raw) for note in dropped) == list(range(1, 250, 2))
    left = [ends.parse(row) for row in client.lrange(keys.ENDS, 0, -1)]
    assert [note.raw for note in left if note] == [b"%d" % number for number in range(0, 250, 2)]


def told(client: Any) -> list[dict[str, Any]]:
    return [json.loads(fields[b"d"]) for _, fields in client.xrange(EVENT_STREAM)]


def test_the_history_is_told_how_each_run_ended(client: Any) -> None:
    notes = [Note(REVOKED, raw=RAW), Note(DELETED, raw=RAW), Note(MALFORMED, worker="w@h", raw=RAW), Note(DELETED)]
    ends.tell(client, "", notes, "Error('x')")
    kept = ("type", "uuid", "name", "why", "exception", "terminated", "expired")
    events = [{name: event[name] for name in kept if name in event} for event in told(client)]
    run = {"uuid": "a", "name": "t"}
    revoked = run | {"type": "task-revoked", "terminated": False, "expired": False}
    assert events == [
        revoked | {"why": ""},
        revoked | {"why": "deleted"},
        run | {"type": "task-failed", "exception": "Error('x')"},
    ]
    assert told(client)[2]["hostname"] == "w@h"
    assert told(client)[0]["hostname"].startswith("nexus@")
    assert client.hgetall(keys.COUNTERS) == {keys.DELETED_ENDED.encode(): b"1"}


def test_of_what_is_no_run_nothing_is_told(client: Any) -> None:
    ends.tell(client, "", [Note(DELETED, raw=b"nonsense")])
    assert list(client.scan_iter()) == []


def test_a_run_that_is_to_run_after_all_is_forgotten_with_its_chain(client: Any) -> None:
    body = [[], {}, {"chain": [{"task": "n", "options": {"task_id": "b"}}]}]
    raw = {
        "headers": {"id": "a", "task": "t", "group": "g", "group_index": 2},
        "body": json.dumps(body),
        "properties": {},
    }
    for run_id in "abc":
        client.set(f"x.celery-task-meta-{run_id}", '{"status": "REVOKED"}')
    client.zadd("x.celery-taskset-meta-g.j", {'[1, "a", null]': 2})
    client.sadd("x.celery-taskset-meta-g.d", "a:2")
    assert ends.revive(client, "x.", json.dumps(raw).encode()) == ("a", "b")
    assert list(client.scan_iter()) == [b"x.celery-task-meta-c"]
