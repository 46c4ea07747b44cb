"""Facts that the Redis server reports: its kind, its speed, and what keeps it from accepting writes."""

from __future__ import annotations

import time

import redis
from redis.exceptions import NoPermissionError

from celery_nexus.broker.read import connections
from celery_nexus.broker.wire.connection import translate_errors
from celery_nexus.broker.wire.writes import write_trouble
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.rows.broker import BeatStats, Memory
from celery_nexus.rows.diagnosis.connections import Connections


class Server:
    """The server of one broker. May be shared by threads.

    Args:
        url: Its address.
        reader: Connection for reading.
        prefix: Before each key of the application that is looked at.
    """

    def __init__(self, url: BrokerUrl, reader: redis.Redis, prefix: str = "") -> None:
        self.url = url
        self._prefix = prefix
        self._reader = reader

    def ping(self) -> float:
        """Return the seconds that one answer of the broker takes."""
        started = time.perf_counter()
        with translate_errors(self.url):
            self._reader.ping()
        return time.perf_counter() - started

    def read_connections(self) -> Connections | None:
        """Read who is connected to the database; None when its user may not ask."""
        with translate_errors(self.url):
            return connections.read_connections(self._reader, self.url.database)

    def describe(self) -> str:
        """Say what the broker is: ``valkey 9.1.2 unix socket``."""
        with translate_errors(self.url):
            info: dict[str, object] = self._reader.info("server")  # pyright: ignore[reportAssignmentType]
        kind = str(info.get("server_name") or "redis")
        version = info.get(f"{kind}_version") or info.get("redis_version", "?")
        place = "unix socket" if self.url.path else f"{self.url.host}:{self.url.port}"
        return f"{kind} {version} {place}"

    def may_write(self) -> bool:
        """Tell whether this user may change anything; asks by deleting a key that there is not, which changes nothing.

        Whoever can't be asked now, a broker that is away, may.
        """
        try:
            self._reader.delete(f"{self._prefix}nexus:none")
        except NoPermissionError:
            return False
        except (redis.RedisError, OSError):
            return True
        return True

    def write_trouble(self) -> str:
        """Say why the broker takes no changes now; empty when it does."""
        with translate_errors(self.url):
            return write_trouble(self._reader)

    def is_replica(self) -> bool:
        """Tell whether it is a replica, at which no worker is; False when its user may not ask."""
        with translate_errors(self.url):
            try:
                info: dict[str, object] = self._reader.info("replication")  # pyright: ignore[reportAssignmentType]
            except NoPermissionError:
                return False
        return info.get("role") == "slave"

    def read_memory(self) -> Memory | None:
        """Read how much of its memory the server uses; None when it does not say how much it may."""
        with translate_errors(self.url):
            try:
                info: dict[str, object] = self._reader.info("memory")  # pyright: ignore[reportAssignmentType]
            except NoPermissionError:
                return None
        used, most, machine = (info.get(name) for name in ("used_memory", "maxmemory", "total_system_memory"))
        limit = most or machine
        return Memory(used, limit) if isinstance(used, int) and isinstance(limit, int) and limit else None

    def read_beat(self) -> BeatStats | None:
        """Read what RedBeat keeps in Redis; None where there is nothing of it, or it may not be read."""
        from celery_nexus.broker.read.beat import read_beat

        with translate_errors(self.url):
            return read_beat(self._reader)

    def recorder_trouble(self, command: str = "") -> str:
        """Say what keeps the recorder from writing the history; empty when nothing does.

        Args:
            command: What starts it anew, to be named where that helps.
        """
        from celery_nexus.history.recorder.status import find_trouble

        with translate_errors(self.url):
            return find_trouble(self._reader, self._prefix, command) or ""
