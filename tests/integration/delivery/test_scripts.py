"""Every command of every script is refused once: no message is lost, and no counter or mark makes a step fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from nexus_tui.sources.broker import purge_scripts
from nexus_tui.sources.broker import scripts as operators
from workers.delivery import letter_scripts, scripts

MESSAGE = b'{"headers": {"id": "a"}, "nexus_publication": "p"}'
OTHER = b'{"headers": {}}'
FIELD = "1 q"

_REFUSE = """
local real, counted = redis, 0
local redis = {}
for name, value in pairs(real) do redis[name] = value end
local function is_refused(command, key)
  counted = counted + 1
  if counted ~= %d then return false end
  real.call('SET', 'refused', command .. ' ' .. tostring(key))
  return true
end
redis.call = function(...)
  if is_refused(...) then error({err = 'REFUSED'}) end
  return real.call(...)
end
redis.pcall = function(...)
  if is_refused(...) then return {err = 'REFUSED'} end
  return real.pcall(...)
end
"""


@dataclass(frozen=True)
class Case:
    """A step that a script takes.

    Attributes:
        script: Its text.
        keys: As it wants them.
        arguments: Likewise.
        prepare: Lays out what is there before.
        place: Key where the message is afterwards; None when it is deleted.
        tells: Commands (and their key) whose refusal is told to the caller; any other is no reason to fail.
    """

    script: str
    keys: list[str]
    arguments: list[Any]
    prepare: Callable[[Any], None]
    place: str | None
    tells: set[str] = field(default_factory=set[str])


def nothing(_: Any) -> None:
    """Lay out nothing."""


def hold(client: Any) -> None:
    """Let a worker with a lease hold the message."""
    client.hset("leases", "w", '{"token": "t"}')
    client.hset("flight", FIELD, MESSAGE)


def wait(client: Any) -> None:
    """Let the message wait, and a lease be there."""
    client.hset("leases", "w", '{"token": "t"}')
    client.lpush("q", MESSAGE)


def be_due(client: Any) -> None:
    """Let the message be due."""
    client.hset("leases", "w", '{"token": "t"}')
    client.zadd("delayed", {b"0" + MESSAGE: 1})


def hold_beside_old_letters(client: Any) -> None:
    """Let a worker hold the message, and dead letters be too old and too many."""
    hold(client)
    for number in range(4):
        client.zadd("dead", {f"old{number}": number})
        client.hset("facts", f"old{number}", "{}")
        client.hset("bytes", f"old{number}", OTHER)


def be_dead(client: Any) -> None:
    """Let the message be a dead letter."""
    client.zadd("dead", {"l": 5})
    client.hset("facts", "l", "{}")
    client.hset("bytes", "l", MESSAGE)


def be_in_trash(client: Any) -> None:
    """Let the dead letter have been dropped."""
    be_dead(client)
    client.eval(letter_scripts.TAKE_LETTER, 4, *LETTERS, "trash", "l", 60)


def be_retried(client: Any) -> None:
    """Let the dead letter have been retried."""
    be_dead(client)
    client.eval(letter_scripts.TAKE_LETTER, 6, *LETTERS, "trash", "q", "wake", "l", 60, MESSAGE)


def be_delayed(client: Any) -> None:
    """Let the message wait for its time."""
    client.zadd("delayed", {MESSAGE: 9e9})


def be_purged(client: Any) -> None:
    """Let the message's queue have been purged, for a minute."""
    wait(client)
    client.eval(purge_scripts.PURGE, 3, "q", "trash", "ends", 60, "")


HELD = ["flight", "leases"]
FENCE = ["w", "t"]
CHANGED = MESSAGE + b" "
TAKE_KEYS = ["q", "target", "trash", "wake", "wake of target", "counters", "ends"]
DELAYED_KEYS = ["delayed", "trash", "wake", "counters", "ends"]
LETTERS = ["dead", "facts", "bytes"]
PUBLISH_KEYS = ["q", "wake", "counters", "delayed", "mark"]
FETCH_ARGUMENTS = [*FENCE, "1", 1, "0", 1_000_000]

CASES: dict[str, Case] = {
    "publish": Case(
        scripts.PUBLISH, PUBLISH_KEYS, [MESSAGE, "submitted", "", "", "p q", 60], nothing, "q", {"LPUSH q"}
    ),
    "publish with a countdown": Case(
        scripts.PUBLISH,
        PUBLISH_KEYS,
        [MESSAGE, "submitted", "9e9", b"0" + MESSAGE, "p q", 60],
        nothing,
        "delayed",
        {"ZADD delayed", "TIME nil"},
    ),
    "adopt": Case(
        scripts.ADOPT,
        [*HELD, "counters"],
        [*FENCE, FIELD, "1+ q", "adopted"],
        hold,
        "flight",
        {"HGET leases", "HGET flight", "HSET flight", "HDEL flight"},
    ),
    "fetch": Case(
        scripts.FETCH,
        [*HELD, "delayed", "q"],
        FETCH_ARGUMENTS,
        wait,
        "flight",
        {"HGET leases", "TIME nil", "ZRANGE delayed", "LINDEX q", "HSET flight", "RPOP q"},
    ),
    "fetch what is due": Case(
        scripts.FETCH,
        [*HELD, "delayed", "q"],
        FETCH_ARGUMENTS,
        be_due,
        "flight",
        {
            *("HGET leases", "TIME nil", "ZRANGE delayed", "ZRANGEBYSCORE delayed", "LPUSH q", "ZREM delayed"),
            *("LINDEX q", "HSET flight", "RPOP q"),
        },
    ),
    "start": Case(
        scripts.START, [*HELD, "started"], [*FENCE, FIELD, "0 q"], hold, "flight", {"HGET leases", "HEXISTS flight"}
    ),
    "restore": Case(
        scripts.RESTORE,
        [*HELD, "q", "wake"],
        [*FENCE, FIELD, "RPUSH", "", 0],
        hold,
        "q",
        {"HGET leases", "HGET flight", "RPUSH q", "HDEL flight"},
    ),
    "delay": Case(
        scripts.DELAY,
        [*HELD, "delayed"],
        [*FENCE, FIELD, 9e9, 0, 0],
        hold,
        "delayed",
        {"HGET leases", "HGET flight", "ZADD delayed", "HDEL flight"},
    ),
    "bury": Case(
        letter_scripts.BURY,
        [*HELD, *LETTERS],
        [*FENCE, FIELD, "l", "{}", "{}", 100, 2, 2],
        hold_beside_old_letters,
        "bytes",
        {"HGET leases", "HGET flight", "HSET bytes", "HSET facts", "ZADD dead", "HDEL flight"},
    ),
    "drop a dead letter": Case(
        letter_scripts.TAKE_LETTER,
        [*LETTERS, "trash"],
        ["l", 60],
        be_dead,
        "trash",
        {"HGET bytes", "ZSCORE dead", "HGET facts", "RPUSH trash", "HDEL bytes"},
    ),
    "retry a dead letter": Case(
        letter_scripts.TAKE_LETTER,
        [*LETTERS, "trash", "q", "wake"],
        ["l", 60, MESSAGE],
        be_dead,
        "q",
        {"HGET bytes", "ZSCORE dead", "HGET facts", "RPUSH trash", "LPUSH q", "HDEL bytes"},
    ),
    "take a dropped letter back": Case(
        letter_scripts.RETURN_LETTERS,
        [*LETTERS, "trash"],
        [1],
        be_in_trash,
        "bytes",
        {"RPOP trash", "HSET bytes", "HSET facts", "ZADD dead"},
    ),
    "take a retried letter back": Case(
        letter_scripts.RETURN_LETTERS,
        [*LETTERS, "trash"],
        [1],
        be_retried,
        "bytes",
        {"RPOP trash", "HSET bytes", "HSET facts", "ZADD dead", "LREM q"},
    ),
    "an operator deletes": Case(
        operators.TAKE,
        TAKE_KEYS,
        [MESSAGE, 0, "", "front", 60, 0, "note"],
        wait,
        "trash",
        {"LLEN q", "RPUSH trash", "LREM q"},
    ),
    "an operator moves": Case(
        operators.TAKE,
        TAKE_KEYS,
        [MESSAGE, 0, CHANGED, "front", 60, 0, ""],
        wait,
        "target",
        {"LLEN q", "RPUSH trash", "LREM q", "RPUSH target"},
    ),
    "an operator deletes what is delayed": Case(
        operators.TAKE_DELAYED,
        DELAYED_KEYS,
        [MESSAGE, "", 60, "", "note"],
        be_delayed,
        "trash",
        {"ZSCORE delayed", "RPUSH trash", "ZREM delayed"},
    ),
    "an operator changes what is delayed": Case(
        operators.TAKE_DELAYED,
        DELAYED_KEYS,
        [MESSAGE, CHANGED, 60, 5, ""],
        be_delayed,
        "delayed",
        {"ZSCORE delayed", "RPUSH trash", "ZADD delayed", "ZREM delayed"},
    ),
    "an operator changes the time of what is delayed": Case(
        operators.TAKE_DELAYED,
        DELAYED_KEYS,
        [MESSAGE, MESSAGE, 0, 5, ""],
        be_delayed,
        "delayed",
        {"ZSCORE delayed", "ZADD delayed"},
    ),
    "an operator purges": Case(
        purge_scripts.PURGE, ["q", "trash", "ends"], [60, ""], wait, "trash", {"LLEN q", "RENAME q"}
    ),
    "an operator takes a purge back": Case(
        purge_scripts.UNPURGE,
        ["trash", "q", "wake"],
        [10],
        be_purged,
        "q",
        {"EXISTS q", "LLEN trash", "PERSIST trash", "RENAME trash"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_command_that_is_refused_loses_no_message(stack: Any, name: str) -> None:
    case = CASES[name]
    told: set[str] = set()
    for number in range(1, 60):
        stack.client.flushall()
        case.prepare(stack.client)
        existed = bool(places(stack.client))
        answer = run(stack.client, case, _REFUSE % number)
        refused = stack.client.getdel("refused")
        if refused is None:
            assert number > 1
            break
        if is_refusal(answer):
            told.add(refused.decode())
            assert places(stack.client) or not existed, refused
            run(stack.client, case)  # as a caller tries it again
        assert case.place in places(stack.client), refused
    assert told == case.tells


def is_refusal(answer: Any) -> bool:
    """Tell whether a caller learns that nothing was done."""
    return isinstance(answer, redis.ResponseError)


def run(client: Any, case: Case, before: str = "") -> Any:
    """Run a script; returns its answer or its error."""
    try:
        return client.eval(before + case.script, len(case.keys), *case.keys, *case.arguments)
    except redis.ResponseError as error:
        return error


def places(client: Any) -> set[str]:
    """Find the keys that hold the message."""
    read = {
        b"list": lambda key: client.lrange(key, 0, -1),
        b"hash": client.hvals,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"string": lambda key: [client.get(key)],
    }
    found = {key: read[client.type(key)](key) for key in client.scan_iter()}
    return {key.decode() for key, values in found.items() if any(MESSAGE in value for value in values)}


def test_what_is_taken_back_from_a_purge_outlives_the_trash(stack: Any) -> None:
    be_purged(stack.client)
    assert stack.client.ttl("trash") == 60
    stack.client.eval(purge_scripts.UNPURGE, 3, "trash", "q", "wake", 10)
    assert (stack.client.ttl("q"), stack.client.lrange("q", 0, -1)) == (-1, [MESSAGE])


def test_a_publication_that_arrived_before_is_known_and_one_that_did_not_is_not(stack: Any) -> None:
    case = CASES["publish"]
    stack.client.set("q", "no list")
    assert is_refusal(run(stack.client, case))
    stack.client.delete("q")
    assert [run(stack.client, case), run(stack.client, case)] == [1, 0]
    assert stack.client.lrange("q", 0, -1) == [MESSAGE]
    assert stack.client.hget("counters", "submitted") == b"1"


def test_what_is_due_lands_in_the_list_of_its_priority_and_stays_delayed_while_that_is_no_list(stack: Any) -> None:
    stack.client.zadd("delayed", {b"7" + MESSAGE: 1})
    stack.client.set("q7", "no list")
    names = ["flight", "leases", "delayed", "q", "q7"]
    arguments = ["w", "", "1", 1, "07", 1_000_000]
    assert stack.client.eval(scripts.FETCH, len(names), *names, *arguments) is None
    assert places(stack.client) == {"delayed"}
    stack.client.delete("q7")
    assert stack.client.eval(scripts.FETCH, len(names), *names, *arguments) == [b"q7", MESSAGE]
    assert stack.client.hgetall("flight") == {b"1 q7": MESSAGE}


def test_a_lease_is_taken_from_the_record_that_was_seen_alone(stack: Any) -> None:
    take = [scripts.TAKE_LEASE, 1, "leases", "w"]
    assert stack.client.eval(*take, "", "first") == 1
    assert stack.client.eval(*take, "", "second") == 0
    assert stack.client.eval(*take, "another", "second") == 0
    assert stack.client.hget("leases", "w") == b"first"
    assert stack.client.eval(*take, "first", "second") == 1
    assert stack.client.hget("leases", "w") == b"second"
