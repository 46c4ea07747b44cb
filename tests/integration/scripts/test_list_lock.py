"""The lock by which one operator at a time changes a list in bulk."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from celery_nexus.broker.bulk import lists as lists_module
from celery_nexus.broker.bulk.lists import LOCK, LOCK_S, Lists
from celery_nexus.delivery.layout import Layout
from celery_nexus.errors import Refused, Unreachable

KEY = "q"


class Operator:
    """Changes lists; the broker can be away for it."""

    def __init__(self, client: Any) -> None:
        self.is_away = False
        unused: Any = None
        self.lists = Lists(client, Layout(), unused, self._translate)

    @contextmanager
    def _translate(self) -> Generator[None]:
        if self.is_away:
            raise Unreachable("away")
        yield


@pytest.fixture
def operators(client: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Operator, Operator]:
    monkeypatch.setattr(lists_module.time, "sleep", lambda _: None)
    return Operator(client), Operator(client)


def test_a_list_is_held_by_one_and_free_afterwards(client: Any, operators: tuple[Operator, Operator]) -> None:
    mine, other = operators
    with mine.lists.hold_lock(KEY) as renew:
        client.expire(LOCK + KEY, 1)
        renew()
        assert client.ttl(LOCK + KEY) == LOCK_S
        with (
            pytest.raises(Refused, match=r"another operator is changing q, priority 0, in bulk; try again in half"),
            other.lists.hold_lock(KEY),
        ):
            raise AssertionError("held twice")
        with other.lists.hold_lock("another"):
            pass
    assert not client.exists(LOCK + KEY)
    with other.lists.hold_lock(KEY):
        pass


def test_who_could_not_free_it_has_it_still_and_others_wait_for_its_end(
    client: Any, operators: tuple[Operator, Operator]
) -> None:
    mine, other = operators
    with pytest.raises(Unreachable), mine.lists.hold_lock(KEY):
        mine.is_away = True
    mine.is_away = False
    with pytest.raises(Refused), other.lists.hold_lock(KEY):
        raise AssertionError("held twice")
    with mine.lists.hold_lock(KEY):
        pass
    assert not client.exists(LOCK + KEY)


def test_a_lock_that_expired_and_is_anothers_is_left_alone(client: Any, operators: tuple[Operator, Operator]) -> None:
    mine, _ = operators
    with mine.lists.hold_lock(KEY):
        client.set(LOCK + KEY, "another's")
    assert client.get(LOCK + KEY) == b"another's"
