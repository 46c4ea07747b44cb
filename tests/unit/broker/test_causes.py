"""Commands that ``why`` names: quoted for a shell, and none that would be refused."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from celery_nexus.diagnosis.why import causes
from celery_nexus.diagnosis.why.situation import Situation
from celery_nexus.rows.arguments import find_obstacle
from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.runs import Run
from celery_nexus.rows.workers import Worker

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NASTY = "a queue; rm -rf $HOME 'x'"
ENDED = Run(id="id 1; ls", task="t.add", state="FAILURE", args=[1], kwargs={"a": 2})
MESSAGE = Message("1", "t.add", NASTY, 5, 0, 1.0, [1, "two words"], {"name": "it's"})


def of(**facts: Any) -> list[tuple[str, str]]:
    return [(finding.cause, finding.command) for finding in causes.find_causes(Situation(now=NOW, **facts))]


def test_an_ended_run_is_run_again_by_its_quoted_id() -> None:
    assert of(subject=ENDED.id, run=ENDED) == [("ended", "nexus-tui retry 'id 1; ls'")]


@pytest.mark.parametrize(
    ("run", "obstacle"),
    [
        (ENDED, ""),
        (replace(ENDED, state="STARTED"), "has not ended (STARTED)"),
        (replace(ENDED, args=None), "its arguments are not known: submit it anew"),
        (
            replace(ENDED, args=["‹mail body, 40 characters›"]),
            "its arguments are not kept in full: give them with --args",
        ),
        (replace(ENDED, kwargs={"password": "***", "a": 1}), "not kept in full: password; give them with --kwargs"),
    ],
)
def test_a_run_that_would_be_refused_is_not_told_to_run_again(run: Run, obstacle: str) -> None:
    assert find_obstacle(run) == obstacle
    if run.is_final:
        [finding] = causes.find_causes(Situation(ENDED.id, run=run, now=NOW))
        assert bool(finding.command) is not bool(obstacle)
        assert obstacle in finding.fact


@pytest.mark.parametrize(
    ("end", "is_revoked", "words"),
    [
        ("deleted", False, "an operator deleted its message"),
        ("purged", False, "its queue was purged"),
        ("expired", False, "it expired before a worker took it"),
        ("terminated SIGKILL", True, "an operator revoked it while it ran (SIGKILL)"),
        ("terminated", True, "an operator revoked it while it ran (terminated)"),
        ("", True, "an operator revoked it"),
        ("", False, "it was revoked; nobody told why"),
    ],
)
def test_a_revoked_run_says_what_ended_it(end: str, is_revoked: bool, words: str) -> None:
    run = replace(ENDED, state="REVOKED")
    [finding] = causes.find_causes(Situation(run.id, run=run, end=end, is_revoked=is_revoked, now=NOW))
    assert (finding.cause, finding.fact) == ("ended", f"it ended as REVOKED: {words}")


@pytest.mark.parametrize("error", ["ChordError: Dependency x raised TaskRevokedError()", None])
def test_a_failed_run_says_its_error(error: str | None) -> None:
    [finding] = causes.find_causes(Situation(ENDED.id, run=replace(ENDED, error=error), now=NOW))
    assert finding.fact == f"it ended as FAILURE: {error or 'its error was not told'}"


def test_a_revoked_message_is_submitted_anew_with_its_arguments() -> None:
    [(cause, command), *_] = of(subject="1", message=MESSAGE, is_revoked=True)
    words = ["nexus-tui", "submit", "t.add", "--queue", NASTY]
    assert (cause, shlex.split(command)) == (
        "revoked",
        [*words, "--args", '[1, "two words"]', "--kwargs", '{"name": "it\'s"}'],
    )


@pytest.mark.parametrize("args", [["***"], ["x" * 2000]])
def test_a_message_whose_arguments_cannot_be_typed_names_no_command(args: list[Any]) -> None:
    assert of(subject="1", message=replace(MESSAGE, args=args), is_revoked=True)[0] == ("revoked", "")


def test_every_named_command_survives_a_shell() -> None:
    queue = QueueStats(NASTY, 1, (1,), paused=True)
    found = of(subject=NASTY, queue=queue, message=MESSAGE, is_queue=True, workers=())
    assert found[0] == ("paused", shlex.join(["nexus-tui", "resume", NASTY]))


@pytest.mark.parametrize(("pool", "command"), [("solo", ""), ("prefork", "nexus-tui grow w@h 1")])
def test_a_solo_pool_is_not_told_to_grow(pool: str, command: str) -> None:
    worker = Worker("w@h", "busy", queues=("q",), pool=pool, concurrency=1, active=1)
    queue = QueueStats("q", 1, (1,))
    message = replace(MESSAGE, queue="q")
    assert ("all full", command) in of(subject="1", queue=queue, message=message, workers=(worker,))
