"""What the scripts of operators do where they have a choice, and when workers were faster."""

from __future__ import annotations

from typing import Any

import pytest

from celery_nexus.broker.bulk import rotation_scripts
from celery_nexus.broker.edit import purge_scripts
from celery_nexus.broker.undo import return_scripts
from celery_nexus.broker.wire import scripts
from tests.integration.scripts.operator_cases import (
    DELAYED_KEYS,
    LAY_KEYS,
    MERGE_KEYS,
    PUT_KEYS,
    TAKE_KEYS,
    be_deleted,
    be_in_front,
    be_moved,
    be_purged,
    be_purged_and_refilled,
    have_started,
    sha1,
    trashed,
    wait_behind_new_ones,
)
from tests.integration.scripts.refusing import CHANGED, MESSAGE, NEW, OTHER


def call(client: Any, script: str, keys: list[str], *arguments: Any) -> Any:
    return client.eval(script, len(keys), *keys, *arguments)


def take(
    client: Any, changed: Any, place: str = "back", *, lives: int = 60, note: str = "", target: str = "target"
) -> Any:
    keys = [target if key == "target" else key for key in TAKE_KEYS]
    return call(client, scripts.TAKE, keys, MESSAGE, 1, changed, place, lives, 0, note)


@pytest.mark.parametrize("lives", [0, 60])
@pytest.mark.parametrize("changed", ["", CHANGED, MESSAGE])
def test_what_a_worker_took_is_not_changed(client: Any, changed: Any, lives: int) -> None:
    client.rpush("q", OTHER)
    for target in ("target", "q"):
        assert take(client, changed, "front", lives=lives, target=target) == 0
    assert client.lrange("q", 0, -1) == [OTHER]
    assert not client.exists("target", "trash", "counters", "ends")


def test_what_is_deleted_is_counted_noted_and_kept_for_its_time(client: Any) -> None:
    client.rpush("q", NEW, MESSAGE, OTHER)
    assert take(client, "", note="note") == 1
    assert client.lrange("q", 0, -1) == [NEW, OTHER]
    assert client.lrange("ends", 0, -1) == [b"note\n" + MESSAGE]
    assert client.hgetall("counters") == {b"deleted": b"1"}
    assert (client.llen("trash"), client.ttl("trash")) == (1, 60)


def test_what_is_deleted_for_good_leaves_a_note_alone(client: Any) -> None:
    client.rpush("q", MESSAGE)
    assert take(client, "", lives=0, note="note") == 1
    assert client.keys("*") == [b"ends"]


@pytest.mark.parametrize(("place", "order"), [("front", [OTHER, CHANGED]), ("back", [CHANGED, OTHER])])
def test_what_is_moved_runs_next_or_last_where_it_goes(client: Any, place: str, order: list[bytes]) -> None:
    client.rpush("q", MESSAGE)
    client.rpush("target", OTHER)
    assert take(client, CHANGED, place) == 1
    assert client.lrange("target", 0, -1) == order
    assert not client.exists("q", "counters", "ends")


@pytest.mark.parametrize("depth", [0, 1, 2, -1])
@pytest.mark.parametrize("messages", [[MESSAGE, NEW, OTHER], [NEW, MESSAGE, OTHER], [NEW, OTHER, MESSAGE]])
def test_what_comes_to_the_front_of_its_own_list_is_there_once(client: Any, messages: list[bytes], depth: int) -> None:
    client.rpush("q", *messages)
    keys = [key if key != "target" else "q" for key in TAKE_KEYS]
    assert call(client, scripts.TAKE, keys, MESSAGE, depth, MESSAGE, "front", 60, 0, "") == 1
    assert client.lrange("q", 0, -1) == [*(row for row in messages if row != MESSAGE), MESSAGE]


def test_of_what_is_delayed_the_time_stays_unless_another_is_given(client: Any) -> None:
    for due, at in (("", 9e9), (8e9, 8e9)):
        client.flushall()
        client.zadd("delayed", {MESSAGE: 9e9})
        assert call(client, scripts.TAKE_DELAYED, DELAYED_KEYS, MESSAGE, CHANGED, 60, due, "") == 1
        assert client.zrange("delayed", 0, -1, withscores=True) == [(CHANGED, at)]
        assert not client.exists("counters", "ends")


def test_what_is_due_meanwhile_is_not_changed(client: Any) -> None:
    assert call(client, scripts.TAKE_DELAYED, DELAYED_KEYS, MESSAGE, CHANGED, 60, 5, "note") == 0
    assert client.keys("*") == []


def test_what_is_deleted_while_delayed_is_counted_and_noted_without_its_priority(client: Any) -> None:
    client.zadd("delayed", {b"5" + MESSAGE: 9e9})
    assert call(client, scripts.TAKE_DELAYED, DELAYED_KEYS, b"5" + MESSAGE, "", 60, "", "note") == 1
    assert client.lrange("ends", 0, -1) == [b"note\n" + MESSAGE]
    assert client.hgetall("counters") == {b"deleted": b"1"}
    assert (client.exists("delayed"), client.ttl("trash")) == (0, 60)


def test_a_purge_takes_every_list_and_notes_the_end_of_all_once(client: Any) -> None:
    client.rpush("q", MESSAGE, OTHER)
    client.rpush("q2", NEW)
    keys = ["q", "trash", "empty", "trash of empty", "q2", "trash2", "ends"]
    assert call(client, purge_scripts.PURGE, keys, 60, "note") == [3, 1]
    assert (client.lrange("trash", 0, -1), client.lrange("trash2", 0, -1)) == ([MESSAGE, OTHER], [NEW])
    assert client.lrange("ends", 0, -1) == [b"note\n"]
    assert (client.ttl("trash"), client.ttl("trash2"), client.exists("q", "q2", "trash of empty")) == (60, 60, 0)


def test_a_purge_of_nothing_notes_nothing(client: Any) -> None:
    client.rpush("ends", "earlier")
    assert call(client, purge_scripts.PURGE, ["q", "trash", "ends"], 60, "note") == [0, 0]
    assert client.lrange("ends", 0, -1) == [b"earlier"]


def test_a_purge_that_is_refused_in_its_middle_takes_nothing(client: Any) -> None:
    client.rpush("q", MESSAGE)
    client.set("q2", "no list")
    with pytest.raises(Exception, match="WRONGTYPE"):
        call(client, purge_scripts.PURGE, ["q", "trash", "q2", "trash2", "ends"], 60, "note")
    assert (client.lrange("q", 0, -1), client.ttl("q")) == ([MESSAGE], -1)
    assert not client.exists("trash", "ends")


def test_what_is_taken_back_from_a_purge_outlives_the_trash(client: Any) -> None:
    be_purged(client)
    assert client.ttl("trash") == 60
    client.eval(purge_scripts.UNPURGE, 3, "trash", "q", "wake", 10)
    assert (client.ttl("q"), client.lrange("q", 0, -1)) == (-1, [MESSAGE])


def test_what_is_taken_back_from_a_purge_runs_before_what_came_later(client: Any) -> None:
    be_purged_and_refilled(client)
    assert call(client, purge_scripts.UNPURGE, ["trash", "q", "wake"], 10) == 1
    assert client.lrange("q", 0, -1) == [OTHER, MESSAGE]


def test_a_purge_is_taken_back_in_steps(client: Any) -> None:
    client.rpush("q", "now")
    client.rpush("trash", "1", "2", "3")
    assert [call(client, purge_scripts.UNPURGE, ["trash", "q", "wake"], 2) for _ in range(3)] == [2, 1, 0]
    assert client.lrange("q", 0, -1) == [b"now", b"1", b"2", b"3"]


def test_a_success_stays_when_its_run_is_revoked(client: Any) -> None:
    client.set("result", '{"status": "SUCCESS"}')
    assert call(client, scripts.REVOKE_RESULT, ["result"], "record", 60) == 0
    client.set("result", '{"status": "STARTED"}')
    assert call(client, scripts.REVOKE_RESULT, ["result"], "record", 60) == 1
    assert (client.get("result"), client.ttl("result")) == (b"record", 60)


def test_a_list_is_released_by_who_holds_it_alone(client: Any) -> None:
    client.set("lock", "other")
    call(client, rotation_scripts.RELEASE, ["lock"], "me")
    assert client.get("lock") == b"other"


def lay(client: Any, script: str, first: bytes, count: int, stay: Any, *edits: Any, push: str = "LPUSH") -> Any:
    return call(client, script, LAY_KEYS, first, count, stay, 7, 60, push, "note", *edits)


def lists(client: Any) -> list[list[bytes]]:
    assert not client.exists("aside")
    return [client.lrange(key, 0, -1) for key in ("q", "n", "target")]


def test_what_is_laid_over_goes_behind_what_came_before_it_and_new_ones_stay(client: Any) -> None:
    wait_behind_new_ones(client)
    assert lay(client, rotation_scripts.LAY_OVER, MESSAGE, 5, 1) == [1, 0, OTHER, 1, b""]
    assert lists(client) == [[NEW, OTHER], [b"neighbour", MESSAGE], []]
    assert client.hgetall("laid") == {b"q": b"7 1 0 1 = " + OTHER}


def test_what_is_deleted_and_moved_while_a_list_is_laid_over(client: Any) -> None:
    wait_behind_new_ones(client)
    edits = [0, sha1(MESSAGE), "", 1, sha1(OTHER), CHANGED]
    assert lay(client, rotation_scripts.LAY_OVER, MESSAGE, 2, 0, *edits) == [2, 2, b"", 0, b""]
    assert lists(client) == [[NEW], [b"neighbour"], [CHANGED]]
    assert client.lrange("ends", 0, -1) == [b"note\n" + MESSAGE]
    assert client.hgetall("counters") == {b"deleted": b"1"}
    assert client.llen("trash") == 2


def test_a_step_ends_before_a_message_that_is_not_the_one_that_was_read(client: Any) -> None:
    wait_behind_new_ones(client)
    assert lay(client, rotation_scripts.LAY_OVER, MESSAGE, 2, 0, 1, sha1(NEW), "") == [1, 0, OTHER, 1, b""]
    assert lists(client) == [[NEW, OTHER], [b"neighbour", MESSAGE], []]


def test_a_list_whose_left_end_moved_away_is_read_anew(client: Any) -> None:
    client.rpush("q", *([NEW] * 5001))
    assert lay(client, rotation_scripts.LAY_OVER, MESSAGE, 1, 0) is None
    assert (client.llen("q"), client.exists("n", "laid", "aside")) == (5001, 0)


def test_what_is_laid_back_is_what_was_read_and_next_of_the_neighbour(client: Any) -> None:
    client.rpush("q", NEW, OTHER)
    client.rpush("n", "neighbour", "b", "a")
    assert lay(client, rotation_scripts.LAY_BACK, OTHER, 2, sha1(b"b")) is None
    assert lay(client, rotation_scripts.LAY_BACK, OTHER, 2, sha1(b"a")) == [2, 0, b"b", 3, b""]
    assert lists(client) == [[NEW, b"b", b"a", OTHER], [b"neighbour"], []]


def test_a_refused_step_tells_how_far_it_came(client: Any) -> None:
    client.rpush("q", NEW, MESSAGE, OTHER)
    client.set("target", "no list")
    assert lay(client, rotation_scripts.LAY_OVER, MESSAGE, 2, 0, 1, sha1(OTHER), CHANGED) == [1, 0, OTHER, 1, b""]
    client.rename("n", "laid over")
    with pytest.raises(Exception, match="WRONGTYPE"):
        lay(client, rotation_scripts.LAY_OVER, OTHER, 1, 0, 0, sha1(OTHER), CHANGED)
    assert client.lrange("q", 0, -1) == [NEW, OTHER]
    assert not client.exists("trash", "aside")


def put(client: Any, behind: Any, *given: Any, keys: list[str] = PUT_KEYS) -> Any:
    return call(client, return_scripts.PUT, keys, behind, *given)


@pytest.mark.parametrize(
    ("noted", "then"),
    [
        (b"7 1 0 2 =bs! " + OTHER, b"7 1 0 2 =bs! " + MESSAGE),
        (b"0 0 0 0 = ", b"0 0 0 0 = " + MESSAGE),
        (b"7 1 0 2 = " + NEW, b"7 1 0 2 = " + NEW),
    ],
    ids=["it was the leftmost", "nothing was", "another was"],
)
def test_what_is_given_back_at_the_left_of_a_list_that_is_laid_over_is_noted(
    client: Any, noted: bytes, then: bytes
) -> None:
    be_deleted(client)
    client.hset("steps", "q", noted)
    put(client, OTHER, "<", trashed(client))
    assert client.hgetall("steps") == {b"q": then}


def test_nothing_is_noted_of_a_list_that_is_not_laid_over(client: Any) -> None:
    be_deleted(client)
    put(client, OTHER, "<", trashed(client))
    assert not client.exists("steps")


@pytest.mark.parametrize("mode", ["<", ">", 0])
@pytest.mark.parametrize("prepare", [be_deleted, be_moved])
def test_what_is_given_back_comes_behind_its_neighbour(client: Any, prepare: Any, mode: Any) -> None:
    prepare(client)
    assert put(client, OTHER, mode, trashed(client)) == [b"b", MESSAGE]
    assert client.lrange("q", 0, -1) == [NEW, MESSAGE, OTHER]
    assert client.hgetall("told") == {b"back": b"1"}
    assert not client.exists("target")
    assert client.lrange("trash", 0, -1) == ([b""] if mode == 0 else [])
    assert client.hget("counters", "deleted") in (None, b"0")


def test_what_is_given_back_without_a_neighbour_is_next(client: Any) -> None:
    be_moved(client)
    assert put(client, "", ">", trashed(client)) == [b"b", MESSAGE]
    assert client.lrange("q", 0, -1) == [NEW, OTHER, MESSAGE]
    be_moved(client)
    assert put(client, b"gone", ">", trashed(client)) == [b"b", MESSAGE]
    assert client.lindex("q", -1) == MESSAGE


def test_what_came_to_the_front_of_its_list_returns_to_its_place(client: Any) -> None:
    be_in_front(client)
    keys = [key if key != "target" else "q" for key in PUT_KEYS]
    assert put(client, OTHER, ">", trashed(client), keys=keys) == [b"b", MESSAGE]
    assert client.lrange("q", 0, -1) == [NEW, MESSAGE, OTHER]


def test_what_has_started_is_counted_and_not_put_back(client: Any) -> None:
    have_started(client)
    assert put(client, OTHER, "<", trashed(client)) == [b"s", b""]
    assert client.lrange("q", 0, -1) == [NEW, OTHER]
    assert client.hgetall("told") == {b"started": b"1"}
    assert not client.exists("trash")


def test_a_trash_that_is_not_as_it_was_read_ends_the_step(client: Any) -> None:
    be_moved(client)
    assert put(client, OTHER, "<", sha1(b"another")) == [b"!", b""]
    assert (client.lrange("q", 0, -1), client.llen("trash")) == ([NEW, OTHER], 1)
    client.delete("trash")
    assert put(client, OTHER, 0, sha1(b"another")) == [b"!", b""]


def test_what_was_given_back_before_is_looked_over_at_the_ends_of_the_trash(client: Any) -> None:
    be_moved(client)
    entry = trashed(client)
    client.lpush("trash", "", "")
    assert put(client, OTHER, "<", entry) == [b"b", MESSAGE]
    assert not client.exists("trash")


def test_several_come_back_in_their_order(client: Any) -> None:
    client.rpush("q", "c", MESSAGE, "b", OTHER)
    for message in (MESSAGE, b"b", b"c"):
        call(client, scripts.TAKE, TAKE_KEYS, message, 1, "", "back", 60, 0, "")
    shas = [sha1(client.lindex("trash", place)) for place in range(3)]
    assert put(client, OTHER, 2, shas[2], 0, shas[0], 1, shas[1]) == [b"bbb", b"c"]
    assert client.lrange("q", 0, -1) == [b"c", MESSAGE, b"b", OTHER]


def test_in_a_long_list_what_runs_before_makes_room_and_comes_back(client: Any) -> None:
    client.rpush("q", *([b"filler"] * 20_001), OTHER, "x", "y")
    client.rpush("target", CHANGED)
    client.rpush("trash", "")
    be_kept = [b"q", MESSAGE, b"target", CHANGED, b"", b"wake"]
    client.eval("redis.call('LPUSH', KEYS[1], cmsgpack.pack(ARGV))", 1, "trash", *be_kept)
    assert put(client, OTHER, 0, sha1(client.lindex("trash", 0))) == [b"b", MESSAGE]
    assert client.lrange("q", -5, -1) == [b"filler", MESSAGE, OTHER, b"x", b"y"]
    assert not client.exists("aside", "target")


def test_delayed_messages_come_back_to_their_time(client: Any) -> None:
    for changed in ("", b"5" + CHANGED, b"5" + MESSAGE):
        client.flushall()
        client.zadd("delayed", {b"5" + MESSAGE: 9e9})
        call(client, scripts.TAKE_DELAYED, DELAYED_KEYS, b"5" + MESSAGE, changed, 60, 8e9, "")
        assert put(client, "", "<", trashed(client)) == [b"b", b""]
        assert client.zrange("delayed", 0, -1, withscores=True) == [(b"5" + MESSAGE, 9e9)]
        assert client.hget("counters", "deleted") in (None, b"0")


def test_a_delayed_message_that_became_due_has_started(client: Any) -> None:
    client.zadd("delayed", {b"5" + MESSAGE: 9e9})
    call(client, scripts.TAKE_DELAYED, DELAYED_KEYS, b"5" + MESSAGE, b"5" + CHANGED, 60, 8e9, "")
    client.delete("delayed")
    assert put(client, "", "<", trashed(client)) == [b"s", b""]
    assert not client.exists("delayed")


def test_merging_lays_over_and_gives_back_behind_what_it_lays(client: Any) -> None:
    client.rpush("n", "neighbour")
    be_moved(client)
    given = [0, sha1(OTHER), 1, "<", trashed(client)]
    answer = call(client, return_scripts.MERGE, MERGE_KEYS, OTHER, 5, 0, 7, *given)
    assert answer == [1, 1, b"", 0, b"b"]
    assert lists(client) == [[NEW], [b"neighbour", MESSAGE, OTHER], []]
    assert client.hgetall("laid") == {b"q": b"7 1 1 0 =b "}
    assert client.hgetall("told") == {b"back": b"1"}


def test_merging_ends_before_a_message_that_is_not_the_one_that_was_read(client: Any) -> None:
    be_moved(client)
    given = [0, sha1(NEW), 1, "<", trashed(client)]
    assert call(client, return_scripts.MERGE, MERGE_KEYS, OTHER, 5, 0, 7, *given) == [0, 0, OTHER, 1, b""]
    assert call(client, return_scripts.MERGE, MERGE_KEYS, OTHER, 5, 1, 7) == [0, 0, OTHER, 1, b""]
    assert lists(client)[0] == [NEW, OTHER]


def test_what_is_gathered_is_at_the_left_the_next_to_run_first(client: Any) -> None:
    client.rpush("q", "x", "b", "a")
    client.rpush("n", "there")
    call(client, return_scripts.GATHER, ["q", "n"], "a", "b", "gone")
    assert client.lrange("n", 0, -1) == [b"b", b"a", b"there"]
    assert client.lrange("q", 0, -1) == [b"x"]


def test_what_was_deleted_is_read_out_of_the_trash_in_parts(client: Any) -> None:
    for message in (MESSAGE, NEW, OTHER):
        client.rpush("q", message)
        changed = CHANGED if message == NEW else ""
        call(client, scripts.TAKE, TAKE_KEYS, message, 0, changed, "back", 60, 0, "")
    assert call(client, scripts.DELETED_IN, ["trash"], 0, 1) == [2, [MESSAGE]]
    assert call(client, scripts.DELETED_IN, ["trash"], 2, 3) == [1, [OTHER]]
