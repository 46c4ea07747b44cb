"""How a script is run while its server refuses one command after the other, and what is compared then."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis

MESSAGE = b'{"headers": {"id": "a"}, "nexus_publication": "p"}'
OTHER = b'{"headers": {"id": "b"}}'
NEW = b'{"headers": {"id": "c"}}'
CHANGED = MESSAGE + b" "

MARKS = frozenset({"counters", "wake", "wake of target", "ends", "mark", "started", "told", "laid", "waiting"})
"""Keys of counters, of marks, and of what is only told: refusing them fails nothing."""

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
        goes_on: Whether what is told may leave a part of it done, that whoever tries again goes on with.
        copies: Of each message, in how many places it is afterwards; found out by the test.
    """

    script: str
    keys: list[str]
    arguments: list[Any]
    prepare: Callable[[Any], None]
    goes_on: bool = False
    copies: dict[bytes, int] = field(default_factory=dict[bytes, int])


def run(client: Any, case: Case, refused: int = 0) -> Any:
    """Run a script while a command (by its number from 1; 0: none) is refused; returns its answer or its error."""
    try:
        return client.eval((_REFUSE % refused) + case.script, len(case.keys), *case.keys, *case.arguments)
    except redis.ResponseError as error:
        return error


def is_refusal(answer: Any) -> bool:
    """Tell whether a caller learns that nothing was done."""
    return isinstance(answer, redis.ResponseError)


def state(client: Any) -> dict[str, Any]:
    """Read everything but marks, what is old, and the exact time."""
    read: dict[bytes, Callable[[Any], Any]] = {
        b"list": lambda key: client.lrange(key, 0, -1),
        b"hash": lambda key: {name: value for name, value in client.hgetall(key).items() if _is_young(name)},
        b"zset": lambda key: {name: _coarse(at) for name, at in client.zrange(key, 0, -1, withscores=True)},
        b"set": client.smembers,
        b"string": client.get,
    }
    keys = [key for key in client.scan_iter() if key.decode() not in MARKS]
    return {key.decode(): value for key in keys if (value := read[client.type(key)](key))}


def copies(client: Any) -> dict[bytes, int]:
    """Count in how many places each message is, apart from the trash."""
    lists = [value for key, value in state(client).items() if key != "trash" and isinstance(value, list)]
    return {wanted: sum(wanted in row for rows in lists for row in rows) for wanted in (MESSAGE, OTHER, NEW)}


def _is_young(name: bytes) -> bool:
    return not name.startswith(b"old")


def _coarse(score: float) -> float | str:
    return "now" if abs(score - time.time()) < 1000 else score
