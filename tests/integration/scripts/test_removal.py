"""One message that is changed while its connection breaks: what is said of it is true, or that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from celery_nexus.broker.edit import removal
from celery_nexus.broker.edit.edits import Change
from celery_nexus.broker.edit.removal import ASKS, Taker
from celery_nexus.delivery.layout import Layout
from celery_nexus.errors import Unanswered
from celery_nexus.queues import priority_key
from celery_nexus.rows.broker import Message

RAW = b'{"properties": {"priority": 5}}'
MESSAGE = Message("r", "t", "q", 5, 0, None, None, None, raw=RAW)
MOVED = Change("q", 2, RAW.replace(b"5", b"2"), False, "moved to priority 2")


class Cut:
    """A taker whose command loses its answer, before or after it was made, and whose next questions are lost, too."""

    def __init__(self, client: Any, monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
        self.lost_questions, self.is_made = 0, True
        self.slept: list[float] = []
        self.taker = Taker(client, Layout())
        take, ask = self.taker._take, client.lindex

        def lose(keys: Any, args: Any) -> Any:
            if self.is_made:
                take(keys, args)
            raise problem

        def question(key: str, place: int) -> Any:
            if self.lost_questions:
                self.lost_questions -= 1
                raise redis.ConnectionError("cut again")
            return ask(key, place)

        monkeypatch.setattr(removal.time, "sleep", self.slept.append)
        monkeypatch.setattr(client, "lindex", question)
        self.taker._take = lose  # type: ignore[assignment]


@pytest.fixture
def cut(client: Any, monkeypatch: pytest.MonkeyPatch) -> Cut:
    client.lpush(priority_key("q", 5), RAW)
    return Cut(client, monkeypatch, redis.ConnectionError("cut"))


@pytest.mark.parametrize("lost", [0, 1, ASKS - 1])
def test_what_was_done_is_found_in_the_trash_however_often_one_has_to_ask(cut: Cut, lost: int) -> None:
    cut.lost_questions = lost
    assert cut.taker.take(MESSAGE, MOVED, "undo")
    assert len(cut.slept) == lost


def test_what_was_not_done_is_an_error_of_the_connection(cut: Cut) -> None:
    cut.is_made = False
    with pytest.raises(redis.ConnectionError, match=r"^cut$"):
        cut.taker.take(MESSAGE, MOVED, "undo")


@pytest.mark.parametrize(("lost", "undo"), [(ASKS, "undo"), (0, "")])
def test_of_what_can_not_be_asked_nobody_knows(cut: Cut, lost: int, undo: str) -> None:
    cut.lost_questions = lost
    words = r"^the connection to the broker broke \(cut\): whether it was changed is not known$"
    with pytest.raises(Unanswered, match=words):
        cut.taker.take(MESSAGE, MOVED, undo)


def test_a_command_that_may_come_later_is_not_called_undone(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Cut(client, monkeypatch, redis.TimeoutError("slow"))
    slow.is_made = False
    with pytest.raises(Unanswered, match=r"\(slow\): whether it was changed is not known$"):
        slow.taker.take(MESSAGE, MOVED, "undo")


def test_a_refused_password_is_no_broken_connection(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Cut(client, monkeypatch, redis.AuthenticationError("WRONGPASS"))
    with pytest.raises(redis.AuthenticationError, match="WRONGPASS"):
        refused.taker.take(MESSAGE, MOVED, "undo")
