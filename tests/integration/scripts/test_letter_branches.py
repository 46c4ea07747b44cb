"""What the scripts of dead letters do where they have a choice, and when others were faster."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import ResponseError

from celery_nexus.delivery import letter_scripts
from tests.integration.scripts.delivery_cases import FIELD, LETTERS, be_dead, be_leased, hold_beside_old_letters
from tests.integration.scripts.refusing import MESSAGE, OTHER

OURS = ["w", "t"]
BURIAL = ["l", '{"a": 1}', '{"counted": 1}', 100, 0, 10_000, 1_000_000]


@pytest.mark.parametrize(("message", "facts"), [(MESSAGE, b'{"counted": 1}'), (OTHER, b'{"a": 1}')])
def test_a_dead_letter_says_whether_it_was_counted_and_notes_the_end_of_its_run(
    client: Any, message: bytes, facts: bytes
) -> None:
    be_leased(client)
    client.hset("flight", FIELD, message)
    keys = ["flight", "leases", *LETTERS, "ends"]
    assert client.eval(letter_scripts.SET_ASIDE, 6, *keys, *OURS, FIELD, *BURIAL) == 1
    assert client.zrange("dead", 0, -1, withscores=True) == [(b"l", 100.0)]
    assert client.hgetall("facts") == {b"l": facts}
    assert client.hgetall("bytes") == {b"l": message}
    assert client.lrange("ends", 0, -1) == [b'{"a": 1}\n' + message]


def test_of_a_large_message_its_end_is_noted(client: Any) -> None:
    be_leased(client)
    large = b"a" * 100_000 + MESSAGE
    client.hset("flight", FIELD, large)
    keys = ["flight", "leases", *LETTERS, "ends"]
    client.eval(letter_scripts.SET_ASIDE, 6, *keys, *OURS, FIELD, *BURIAL[:-1], len(large) - 1)
    assert client.lrange("ends", 0, -1) == [b'{"a": 1}\n' + large[-65_536:]]
    assert client.hget("bytes", "l") == large


@pytest.mark.parametrize(
    ("oldest", "most", "kept"),
    [(2, 10, [b"old3", b"l"]), (-1, 3, [b"old2", b"old3", b"l"]), (-1, 5, [b"old0", b"old1", b"old2", b"old3", b"l"])],
)
def test_letters_that_are_too_old_or_too_many_are_forgotten(
    client: Any, oldest: int, most: int, kept: list[bytes]
) -> None:
    hold_beside_old_letters(client)
    keys = ["flight", "leases", *LETTERS, "ends"]
    client.eval(letter_scripts.SET_ASIDE, 6, *keys, *OURS, FIELD, "l", "{}", "{}", 100, oldest, most, 1_000_000)
    assert client.zrange("dead", 0, -1) == kept
    assert set(client.hkeys("facts")) == set(client.hkeys("bytes")) == set(kept)


def test_a_letter_that_is_gone_can_not_be_taken(client: Any) -> None:
    assert client.eval(letter_scripts.TAKE_LETTER, 6, *LETTERS, "trash", "q", "wake", "l", 60, MESSAGE) == 0
    assert list(client.scan_iter()) == []


def test_a_letter_that_is_dropped_for_good_leaves_nothing(client: Any) -> None:
    be_dead(client)
    assert client.eval(letter_scripts.TAKE_LETTER, 4, *LETTERS, "trash", "l", 0) == 1
    assert list(client.scan_iter()) == []


def test_a_letter_that_is_retried_runs_last_in_its_list_and_wakes_a_worker(client: Any) -> None:
    be_dead(client)
    client.lpush("q", OTHER)
    assert client.eval(letter_scripts.TAKE_LETTER, 6, *LETTERS, "trash", "q", "wake", "l", 60, MESSAGE) == 1
    assert client.lrange("q", 0, -1) == [MESSAGE, OTHER]
    assert client.llen("wake") == 1
    assert client.ttl("trash") == 60
    assert not client.exists(*LETTERS)


def test_letters_come_back_as_they_were_the_last_taken_first(client: Any) -> None:
    for name, at in (("l", 5.5), ("m", 6), ("n", 7)):
        client.zadd("dead", {name: at})
        client.hset("facts", name, '{"a": 1}')
        client.hset("bytes", name, MESSAGE + name.encode())
        client.eval(letter_scripts.TAKE_LETTER, 4, *LETTERS, "trash", name, 60)
    assert client.eval(letter_scripts.RETURN_LETTERS, 5, *LETTERS, "trash", "ends", 2) == [2, 0]
    assert client.zrange("dead", 0, -1, withscores=True) == [(b"m", 6.0), (b"n", 7.0)]
    assert client.eval(letter_scripts.RETURN_LETTERS, 5, *LETTERS, "trash", "ends", 2) == [1, 0]
    assert client.zscore("dead", "l") == 5.5
    assert client.hgetall("facts") == dict.fromkeys((b"l", b"m", b"n"), b'{"a": 1}')
    assert client.hget("bytes", "l") == MESSAGE + b"l"
    assert not client.exists("ends", "trash")


def test_a_retried_letter_comes_back_unless_its_run_was_taken(client: Any) -> None:
    for is_taken, answer in ((False, [1, 0]), (True, [0, 1])):
        client.flushall()
        be_dead(client)
        client.eval(letter_scripts.TAKE_LETTER, 6, *LETTERS, "trash", "q", "wake", "l", 60, MESSAGE)
        if is_taken:
            client.delete("q")
        assert client.eval(letter_scripts.RETURN_LETTERS, 5, *LETTERS, "trash", "ends", 10) == answer
        assert client.exists(*LETTERS) == (0 if is_taken else 3)
        assert client.lrange("ends", 0, -1) == ([] if is_taken else [b'{"a": 1}\n' + MESSAGE])
        assert not client.exists("q", "trash")


def test_of_an_empty_trash_nothing_comes_back(client: Any) -> None:
    assert client.eval(letter_scripts.RETURN_LETTERS, 5, *LETTERS, "trash", "ends", 10) == [0, 0]


def test_what_came_back_before_a_refusal_is_told(client: Any) -> None:
    be_dead(client)
    client.eval(letter_scripts.TAKE_LETTER, 6, *LETTERS, "trash", "q", "wake", "l", 60, MESSAGE)
    be_dead(client)
    client.eval(letter_scripts.TAKE_LETTER, 4, *LETTERS, "trash", "l", 60)
    client.set("q", "no list")
    assert client.eval(letter_scripts.RETURN_LETTERS, 5, *LETTERS, "trash", "ends", 10) == [1, 0]
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        client.eval(letter_scripts.RETURN_LETTERS, 5, *LETTERS, "trash", "ends", 10)
    assert client.llen("trash") == 1
