"""Connections to the broker: bounded waits, and Redis' errors translated into ours."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AskError, ClusterCrossSlotError, ClusterDownError, NoPermissionError
from redis.retry import Retry

from celery_nexus.connection.broker_fitness import find_unfitness, is_cluster
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.other_brokers import IS_CLUSTER
from celery_nexus.connection.redis_client import open_redis
from celery_nexus.errors import Refused, SourceError, Unreachable
from celery_nexus.paths import TROUBLE

CONNECT_TIMEOUT_S = 3
ANSWER_TIMEOUT_S = 5
CHECK_IDLE_AFTER_S = 1
"""A connection idle for longer is checked before it is used, so that a change is not lost on a dead one."""


_COMMAND = re.compile(r"^Command # \d+ \(.*\) of pipeline caused error: ")
"""Text that redis-py puts before an error in a pipeline: the whole command, with what is nobody's business."""


def connect(url: BrokerUrl, *, attempts: int = 1) -> redis.Redis:
    """Make a client whose waits are bounded; it connects at first use and may be shared by threads.

    Args:
        url: The broker.
        attempts: 2 repeats a command once after a lost connection: for reading only.
    """
    client: redis.Redis = open_redis(
        url.redis_py,
        socket_timeout=ANSWER_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        health_check_interval=CHECK_IDLE_AFTER_S,
        retry=Retry(NoBackoff(), attempts - 1),
    )
    return client


def refuse_unfit(url: BrokerUrl) -> None:
    """Make sure that a server can be the broker of our workers.

    Raises:
        Refused: It can't; the message says why.
        Unreachable: It does not answer.
    """
    client = connect(url)
    try:
        with translate_errors(url):
            problem = find_unfitness(client, url.username)
    finally:
        client.close()
    if problem:
        raise Refused(f"broker {url.masked}: {problem}")


def refuse_cluster(client: redis.Redis, url: BrokerUrl) -> None:
    """Make sure that a server is no node of a Redis Cluster.

    Raises:
        Refused: It is one.
        Unreachable: It does not answer.
    """
    with translate_errors(url):
        if is_cluster(client):
            raise Refused(f"broker {url.masked}: {IS_CLUSTER}")


@contextmanager
def translate_errors(url: BrokerUrl) -> Generator[None]:
    """Raise Redis' errors as ours, without secrets.

    Raises:
        Unreachable: No answer.
        Refused: The server answers with an error: password, permission, no memory, read-only replica.
    """
    try:
        yield
    except (redis.AuthenticationError, NoPermissionError) as error:
        raise Refused(f"broker {url.masked} refuses: {_one_line(error)}") from None
    except redis.InvalidResponse as error:
        raise Unreachable(f"{url.masked} does not speak as Redis does: {_one_line(error)}") from None
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        why = _trouble(url) or _one_line(error)
        raise Unreachable(f"broker {url.masked} does not answer: {why}") from None
    except (ClusterDownError, ClusterCrossSlotError, AskError) as error:
        raise Refused(f"broker {url.masked}: {IS_CLUSTER} ({_one_line(error)})") from None
    except redis.ResponseError as error:
        raise Refused(f"broker {url.masked} answers with an error: {_one_line(error)}") from None
    except redis.RedisError as error:
        raise SourceError(f"broker {url.masked}: {_one_line(error)}") from None


def _trouble(url: BrokerUrl) -> str | None:
    """Read why the embedded broker does not start; None for a server that is not ours."""
    if url.path is None:
        return None
    try:
        return " ".join(Path(url.path).with_suffix(TROUBLE).read_text(errors="replace").split()) or None
    except OSError:
        return None


def _one_line(error: Exception) -> str:
    return _COMMAND.sub("", " ".join(str(error).split())) or type(error).__name__
