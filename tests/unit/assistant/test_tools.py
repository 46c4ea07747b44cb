"""Tools for assistants: which are offered, what they take, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from celery_nexus.actions.queues import PurgeQueue
from celery_nexus.actions.registry import ACTIONS
from celery_nexus.client import Nexus
from celery_nexus.errors import Invalid, Refused
from celery_nexus.sources import Sources
from nexus_tui.assistant.changing import list_changes, make_tool
from nexus_tui.assistant.looking import LOOKING
from nexus_tui.assistant.opening import Opening
from nexus_tui.assistant.server import AssistantServer, define_tool
from tests.tui import fakes

NOT_OFFERED = {"footprint --remove", "history compact", "history import", "mark"}
"""They leave no line in the audit log, or read and write files of the machine."""


@pytest.fixture
def stack() -> fakes.Fakes:
    return fakes.busy()


def names(sources: Sources) -> set[str]:
    return {tool.name for tool in list_changes(sources)}


def test_what_looks_changes_nothing_by_its_own_word() -> None:
    assert not any(tool.is_change for tool in LOOKING)
    assert [define_tool(tool).annotations.read_only_hint for tool in LOOKING] == [True] * len(LOOKING)  # type: ignore[union-attr]


def test_every_action_with_a_trace_is_a_tool_and_no_other(stack: fakes.Fakes) -> None:
    expected = {
        action.command_name.replace(" ", "_").replace("-", "_")
        for action in ACTIONS
        if action.command_name not in NOT_OFFERED
    }
    assert names(stack.sources()) == expected


def test_read_only_offers_no_change(stack: fakes.Fakes) -> None:
    assert list_changes(stack.sources(read_only=True)) == ()


def test_a_context_offers_only_what_it_allows(stack: fakes.Fakes) -> None:
    sources = replace(stack.sources(), allowed=frozenset({"purge", "dead-letters"}))
    assert names(sources) == {"purge", "dead_letters_retry", "dead_letters_drop"}


@pytest.mark.parametrize("tool", [*LOOKING, *map(make_tool, ACTIONS)], ids=lambda tool: tool.name)
def test_a_tool_says_of_each_argument_what_it_is(tool: Any) -> None:
    schema = tool.schema()
    assert schema["type"] == "object"
    assert not schema["additionalProperties"]
    for shape in schema["properties"].values():
        assert shape["description"]
        assert shape.get("type") or shape.get("enum")


def test_arguments_of_a_change_are_called_as_its_command_calls_them() -> None:
    schema = next(tool for tool in map(make_tool, ACTIONS) if tool.name == "move").schema()
    assert set(schema["properties"]) == {"dry_run", "count", "run_ids", "from", "filter", "queue", "front"}
    assert schema["required"] == ["queue"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "messages: the argument queue is missing; it takes limit, offset, queue"),
        ({"queue": "q", "limti": 3}, "messages: there is no argument limti; it takes limit, offset, queue"),
        (
            {"queue": "q", "limit": 10_000},
            "messages: limit: input should be less than or equal to 200; it takes limit, offset, queue",
        ),
        ({"queue": {"a": "hunter2"}}, "messages: queue: input should be a valid string; it takes limit, offset, queue"),
    ],
)
def test_wrong_arguments_are_told_in_one_sentence(arguments: dict[str, Any], told: str) -> None:
    tool = next(tool for tool in LOOKING if tool.name == "messages")
    with pytest.raises(Invalid) as error:
        tool.call(cast("Nexus", None), arguments)
    assert str(error.value) == told


def test_a_change_is_a_dry_run_until_it_is_told_otherwise(stack: fakes.Fakes) -> None:
    told = make_tool(PurgeQueue).call(Nexus(stack.sources()), {"queue": "ai_queue"})
    assert (told["dry_run"], told["count"]) == (True, stack.broker.queue("ai_queue").waiting)
    assert stack.broker.changed == []


@pytest.mark.parametrize("count", [{}, {"count": 1}, {"count": 0}])
def test_a_change_of_another_number_of_targets_is_refused(stack: fakes.Fakes, count: dict[str, int]) -> None:
    with pytest.raises(Refused, match="nothing was changed; see the dry run"):
        make_tool(PurgeQueue).call(Nexus(stack.sources()), {"queue": "ai_queue", "dry_run": False, **count})
    assert stack.broker.changed == []


def test_a_change_is_made_when_its_number_is_right(stack: fakes.Fakes) -> None:
    count = stack.broker.queue("ai_queue").waiting
    told = make_tool(PurgeQueue).call(Nexus(stack.sources()), {"queue": "ai_queue", "dry_run": False, "count": count})
    assert (told["dry_run"], told["done"], told["command"]) == (False, True, "nexus-tui purge ai_queue")
    assert stack.broker.audit.recorded == ["nexus-tui purge ai_queue"]


def test_who_leaves_ends_what_takes_long(stack: fakes.Fakes) -> None:
    opening = Opening(stack.sources)
    waiting = opening.connect("an assistant").sources
    opening.leave()
    assert waiting.steps.is_stopped
    assert waiting.via == "an assistant"


def test_the_handshake_says_whether_anything_can_be_changed(stack: fakes.Fakes) -> None:
    looking = AssistantServer(Opening(stack.sources), LOOKING).server.instructions or ""
    changing = (
        AssistantServer(Opening(stack.sources), LOOKING + list_changes(stack.sources())).server.instructions or ""
    )
    assert "Nothing can be changed from here" in looking
    assert "Show the user the dry run and ask before that" in changing
