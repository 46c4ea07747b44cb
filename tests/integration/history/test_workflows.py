"""Workflows of real runs, as the command shows them: chains of groups, nested chords, lost members, error callbacks."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from celery_nexus.queues import priority_key
from tests.integration.history.conftest import Stack


def publish(stack: Stack, code: str) -> str:
    """Publish a workflow; returns what the snippet prints. Nothing of it outlives the call."""
    body = textwrap.indent(textwrap.dedent(code), "    ")
    return stack.call(f"def publish():\n    from celery import chain, chord, group\n{body}\npublish()")


def workflow(stack: Stack, run_id: str) -> dict[str, Any]:
    """Ask ``nexus-tui workflow``."""
    command = [sys.executable, "-m", "nexus_tui", "workflow", run_id, "--json"]
    done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def drawn(nodes: list[dict[str, Any]], depth: int = 0) -> Iterator[str]:
    for node in nodes:
        size = f" {node['total']}" if node["kind"] in ("group", "chord", "fold") else ""
        words = (node["role"], node["task"] or node["kind"] + size, node["state"])
        yield "  " * depth + " ".join(word for word in words if word)
        yield from drawn(node["children"], depth + 1)


def lines(stack: Stack, run_id: str) -> list[str]:
    return list(drawn(workflow(stack, run_id)["roots"]))


def steps(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in found["roots"] if node["kind"] == "step"]


@pytest.fixture(scope="module")
def waiting(stack: Stack) -> str:
    """A chord of three whose middle member was lost from its queue, before any worker took it."""
    code = """
members = [echo.si(1), echo.si(2).set(queue="email_queue"), echo.si(3)]
print(chord(members)(echo.s().set(task_id="lost-body")).parent.results[1].id)
"""
    lost = publish(stack, code)
    for priority in range(10):
        stack.redis.delete(priority_key("email_queue", priority))
    return lost


def test_a_chain_of_groups_is_a_chord_a_step(stack: Stack) -> None:
    run_id = publish(stack, "print(chain(echo.s(1), group(echo.s(), echo.s()), echo.s().set(task_id='end'))().id)")
    stack.run_in("end", "SUCCESS")
    expected = [
        "lives.echo SUCCESS",
        "next chord 2",
        "  member lives.echo SUCCESS",
        "  member lives.echo SUCCESS",
        "body lives.echo SUCCESS",
    ]
    assert lines(stack, run_id) == expected


def test_what_follows_a_failed_link_never_runs_and_its_error_callback_was_called(stack: Stack) -> None:
    code = """
links = chain(fail.s("no").set(task_id="broken"), echo.s(), group(echo.s(), echo.s()))
links.on_error(sleep.si(0).set(task_id="told")).apply_async()
"""
    publish(stack, code)
    stack.run_in("broken", "FAILURE")
    stack.run_in("told", "SUCCESS")
    found = workflow(stack, "broken")
    assert list(drawn(found["roots"]))[:3] == [
        "lives.fail FAILURE",
        "  errback lives.sleep SUCCESS",
        "next lives.echo never",
    ]
    assert {node["why"] for node in steps(found)} == {"fail broken failed"}


def test_a_chord_can_be_the_body_of_a_chord(stack: Stack) -> None:
    code = """
inner = chord([echo.si(1), echo.si(2)], echo.s().set(task_id="inner-end"))
print(chord([echo.si(n) for n in range(3)], inner)().id)
"""
    publish(stack, code)
    stack.run_in("inner-end", "SUCCESS")
    assert [line for line in lines(stack, "inner-end") if not line.startswith(" ")] == [
        "chord 3",
        "body chord 2",
        "body lives.echo SUCCESS",
    ]


def test_a_chord_whose_member_was_lost_waits_for_ever(stack: Stack, waiting: str) -> None:
    def told() -> bool:
        (body,) = steps(workflow(stack, waiting)) or [{"state": ""}]
        return body["state"] == "never"

    stack.until(told, "the run counts as lost", 40)
    (body,) = steps(workflow(stack, waiting))
    assert (body["id"], body["why"]) == ("lost-body", f"waits for 1 of 3: echo {waiting[:8]} was lost")
