"""A worker's channel without a server: the connection gives the answers that a test tells it."""

from __future__ import annotations

import json
from queue import Empty
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from benchmarks.faults.malformed import message
from celery_nexus.delivery import keys
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.transport import fetching
from celery_nexus.delivery.transport.fetching import IDLE_WAIT_S
from celery_nexus.delivery.transport.transport import Channel

NOW = 100.0
FEW = ["a", "b"]


class Connection:
    """Keeps what is sent, and gives the answers that it was told."""

    def __init__(self) -> None:
        self.sent: list[list[tuple[Any, ...]]] = []
        self.answers: list[Any] = []
        self.is_connected = True
        self._sock = "first"
        self.made_anew_as = "first"

    def check_health(self) -> None:
        self._sock = self.made_anew_as

    def pack_commands(self, commands: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return commands

    def send_packed_command(self, commands: list[tuple[Any, ...]], *, check_health: bool) -> None:
        assert not check_health
        self.sent.append(commands)

    def disconnect(self) -> None:
        self.is_connected = False

    def answer(self, command: str) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return command, answer


class Flight:
    """What a worker holds; notes what is done with it."""

    fence_keys = ("held", "leases")
    fence = ("w", "token")

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.held: list[FetchedTag] = []
        self.problem: Exception | None = None
        self.is_held = True
        self.on_fenced: Any = None

    def entries(self) -> list[FetchedTag]:
        if self.problem is not None:
            raise self.problem
        return self.held

    def adopt(self, tag: FetchedTag) -> FetchedTag:
        return tag.to_adopted()

    def restore(self, tag: FetchedTag, *, first: bool = True) -> bool:
        self.done.append(("restore", tag, "next" if first else "last"))
        return self.is_held

    def set_aside(self, tag: FetchedTag, reason: str, detail: str, **facts: Any) -> bool:
        self.done.append(("set_aside", tag, reason, detail, facts))
        return self.is_held

    def delay(self, tag: FetchedTag, due_at: float) -> None:
        self.done.append(("delay", tag, due_at))


class Worker:
    """A channel that consumes, on a clock that stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, queues: list[str]) -> None:
        self.connection, self.flight = Connection(), Flight()
        self.now, self.room = NOW, 4
        self.delivered: list[tuple[Any, str]] = []
        self.rotated: list[str] = []
        self.forgotten: list[str] = []
        self.problem: Exception | None = None
        monkeypatch.setattr(fetching, "monotonic", lambda: self.now)
        monkeypatch.setattr(fetching.running, "next_fetch_id", lambda: "f1")
        monkeypatch.setattr(fetching.running, "is_leaving", lambda: False)
        monkeypatch.setattr(fetching.running, "now", lambda: 1000.0)
        monkeypatch.setattr(
            fetching, "_parse_response", lambda _client, connection, command, **_: connection.answer(command)[1]
        )
        channel: Any = Channel.__new__(Channel)
        channel.__dict__.update(
            client=SimpleNamespace(connection=self.connection),
            connection=SimpleNamespace(_deliver=self._deliver, client=None),
            connection_errors=(redis.ConnectionError, OSError),
            _in_flight=self.flight,
            _qos=SimpleNamespace(can_consume_max_estimate=lambda: self.room, forget=self.forgotten.append),
            _queue_cycle=SimpleNamespace(consume=lambda _: queues, rotate=self.rotated.append),
            _acknowledged_queues=set(queues), _active_queues=list(queues), _in_poll=None, _closing=False,
            _fetch_id="", _unanswered="", _is_waiting=False, _wait_s=IDLE_WAIT_S, _look_at=0.0, _queue_count=0,
            _send_script=True, _refused_until=0.0, global_keyprefix="p:", sep=":", priority_steps=[0, 5],
        )  # fmt: skip
        monkeypatch.setattr(Channel, "active_queues", set(queues), raising=False)
        monkeypatch.setattr(Channel, "_flush_brpop_reauth", lambda _self: None)
        self.channel = channel

    def _deliver(self, message: Any, queue: str) -> None:
        if self.problem is not None:
            raise self.problem
        self.delivered.append((message, queue))

    def ask(self) -> list[tuple[Any, ...]] | None:
        """Begin a fetch; what is sent, or None."""
        self.channel._brpop_start()
        return self.connection.sent.pop() if self.connection.sent else None

    def read(self, *answers: Any) -> bool:
        """Read the answers; whether there was a message."""
        self.connection.answers += answers
        try:
            return bool(self.channel._brpop_read())
        except Empty:
            return False

    def take(self, raw: bytes, list_key: str = "p:a:5") -> None:
        """Take a fetched message."""
        self.channel._take(FetchedTag(f"f1.1 {list_key}"), raw)


def encoded(**headers: Any) -> bytes:
    made = message("t.note", ())
    made["headers"].update(headers)
    made["properties"][keys.PUBLICATION] = "p"
    return json.dumps(made).encode()
