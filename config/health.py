"""``python -m config.health [PART]``: whether a program of this stack is at work, for the health checks of containers.

Asks the broker for the program's own signs of life, and is done in a fraction of what starting Celery takes. Exits 0
when all is well, else 1 with a sentence that says what is not.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from typing import cast

import redis

from celery_nexus.connection.errors import ConfigError
from celery_nexus.connection.keys import GUARDIAN_BEAT, RECORDER_BEAT, WORKER_HASH
from celery_nexus.connection.redis_client import open_redis
from celery_nexus.delivery.leases.heartbeats import measure_silence_s
from celery_nexus.delivery.remembering import broker_now
from celery_nexus.history.recorder.status import find_trouble
from config.celery_options import BEAT_LOCK, BEAT_LOCK_S
from config.settings import settings

TIMEOUT_S = 3.0
WORKER_SILENT_S = 15.0
"""Age of the last heartbeat, one in two seconds, from which a worker counts as stopped or hanging."""

BEAT_SILENT_S = 15.0
"""Beat takes its lock anew at least every five seconds."""

USAGE = "python -m config.health [worker NAME | recorder | beat | guardian]"


def worker_trouble(client: redis.Redis, name: str) -> str:
    """Say what is wrong with the worker ``name@HOST`` of this host; empty when nothing is.

    Raises:
        RedisError: The broker does not answer.
    """
    node = f"{name}@{socket.gethostname()}"
    raw = cast("bytes | None", client.hget(WORKER_HASH, node))
    silent = None if raw is None else measure_silence_s(json.loads(raw), broker_now(client), 0.0)
    if silent is None:
        return f"{node} has sent no heartbeat"
    return f"{node} has sent no heartbeat for {silent:.0f} s" if silent > WORKER_SILENT_S else ""


def recorder_trouble(client: redis.Redis) -> str:
    """Say why nothing is recorded; empty when it is.

    Raises:
        RedisError: The broker does not answer.
    """
    if not client.exists(RECORDER_BEAT):
        return "no recorder has given a sign of life"
    return find_trouble(client) or ""


def beat_trouble(client: redis.Redis) -> str:
    """Say why nothing is published on time; empty when a beat, this one or another, holds the lock of the schedule.

    Raises:
        RedisError: The broker does not answer.
    """
    silent = BEAT_LOCK_S - client.pttl(BEAT_LOCK) / 1000
    return f"no beat has held {BEAT_LOCK} for {min(silent, BEAT_LOCK_S):.0f} s" if silent > BEAT_SILENT_S else ""


def guardian_trouble(client: redis.Redis) -> str:
    """Say that no guardian looks; empty when one does.

    Raises:
        RedisError: The broker does not answer.
    """
    return "" if client.exists(GUARDIAN_BEAT) else "no guardian has looked lately"


def broker_trouble(client: redis.Redis) -> str:
    """Say nothing: the broker answers.

    Raises:
        RedisError: It does not.
    """
    client.ping()
    return ""


_CHECKS: dict[str, Callable[[redis.Redis], str]] = {
    "": broker_trouble,
    "recorder": recorder_trouble,
    "beat": beat_trouble,
    "guardian": guardian_trouble,
}


def check(words: list[str]) -> str:
    """Say what is wrong with the part that the words name; empty when nothing is.

    Raises:
        ConfigError: The broker's address can't be used.
        RedisError: The broker does not answer.
    """
    client = open_redis(settings().broker.redis_py, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    match words:
        case ["worker", name]:
            return worker_trouble(client, name)
        case [] | ["recorder"] | ["beat"] | ["guardian"]:
            return _CHECKS["".join(words)](client)
        case _:
            return USAGE


def main() -> None:
    """Check, and end the process with 0 or 1."""
    try:
        trouble = check(sys.argv[1:])
    except ConfigError as error:
        trouble = str(error)
    except (redis.RedisError, OSError, ValueError) as error:
        trouble = f"broker at {settings().broker.masked}: {error}"
    sys.exit(trouble or None)


if __name__ == "__main__":
    main()
