"""An action says that it can be undone when it is, and only then."""

from __future__ import annotations

import pytest

from celery_nexus.actions.again import RunAgain
from celery_nexus.actions.base import Action, perform
from celery_nexus.actions.messages import ChangePriority, DeleteMessages, MoveMessages
from celery_nexus.actions.queues import PauseQueue, PurgeQueue
from celery_nexus.actions.runs import Revoke
from celery_nexus.actions.submit import Submit
from celery_nexus.actions.workers.pools import GrowPool
from tests.tui import fakes

WAITING, FAILED = fakes.run_id(1000), fakes.run_id(3)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (DeleteMessages((WAITING,)), "They never run; for a day this can be undone."),
        (PurgeQueue("ai_queue"), "None of it runs; for a day this can be undone."),
        (PurgeQueue("ai_queue", for_good=True), "None of it runs; this can't be undone."),
        (Revoke((WAITING,)), "those that run go on. This can't be undone."),
    ],
    ids=lambda value: getattr(value, "command", None),
)
def test_the_question_says_whether_it_can_be_undone(action: Action, words: str) -> None:
    assert action.question.endswith(words)


@pytest.mark.parametrize(
    "action",
    [
        DeleteMessages((WAITING,)),
        MoveMessages((WAITING,), "ai_queue"),
        ChangePriority((WAITING,), 3),
        PurgeQueue("ai_queue"),
        PauseQueue("ai_queue"),
        Revoke((WAITING,)),
        RunAgain((FAILED,)),
        Submit("workers.maintenance_tasks.system_health_check"),
        GrowPool(("email@web1",)),
    ],
    ids=lambda action: action.command_name,
)
def test_what_can_be_undone_leaves_a_token(action: Action) -> None:
    outcome = perform(action, fakes.busy().sources())
    assert all(row.done for row in outcome.targets), outcome
    assert bool(outcome.undo) == action.can_be_undone
