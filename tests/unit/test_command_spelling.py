"""Actions read from their command lines."""

from __future__ import annotations

import pytest

from celery_nexus.actions.base import Action
from celery_nexus.actions.queues import ResumeQueue
from celery_nexus.actions.spelling import read_command
from tests.unit.test_actions import SAMPLES


@pytest.mark.parametrize(("action", "words"), SAMPLES, ids=[words for _, words in SAMPLES])
def test_the_command_of_an_action_is_read_as_that_action(action: Action, words: str) -> None:
    found = read_command(f"nexus-tui {words}")
    assert found is not None
    assert (type(found), found.command) == (type(action), action.command)


@pytest.mark.parametrize("address", ["--broker redis://h/0 --prefix 'shop '", "-A shop.celery:app", "--context prod"])
def test_which_broker_a_command_is_for_is_left_out(address: str) -> None:
    assert read_command(f"nexus-tui resume 'my queue' {address}") == ResumeQueue("my queue")


@pytest.mark.parametrize(
    "line",
    [
        *("nexus-tui doctor", "nexus-tui up", "celery -A shop worker -E", "redis-cli ping", "nexus-tui", ""),
        *("nexus-tui resume", "nexus-tui resume a b", "nexus-tui resume --wrong x y", "nexus-tui resume 'open"),
    ],
)
def test_what_is_no_change_or_is_not_understood_is_none(line: str) -> None:
    assert read_command(line) is None
