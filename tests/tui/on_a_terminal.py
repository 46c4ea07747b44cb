"""Runs the dashboard on fake sources, for tests that look at the bytes on a terminal: ``… NAME [--read-only]``."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from typing import Any

from celery_nexus.rows.catalog import TaskParameter, TaskType
from nexus_tui.app import NexusApp
from tests.tui import fakes

EVIL = "\x1b]0;PWNED\x07\x1b[5;31;42mEVIL\x9b2J\x00\x08\r\u202e[/foo][@click=app.quit]x[/]\x1b[?1049l\udc9b"
"""A title change, colours, a cleared screen, C1, backspace, bidi, markup, a left alternate screen, a surrogate."""


def hostile() -> fakes.Fakes:
    """A stack in which every text from outside is evil."""
    stack = fakes.busy()
    evil: dict[str, Any] = {"task": EVIL, "worker": EVIL, "queue": EVIL, "error": f"{EVIL}: {EVIL}"}
    stack.history.rows = [
        fakes.a_run(1, **evil, state="FAILURE", traceback=f"{EVIL}\n{EVIL}", args=[EVIL], kwargs={EVIL: EVIL}),
        fakes.a_run(2, **evil, state="STARTED", result=EVIL),
        fakes.a_run(3, state=EVIL, id=EVIL, result={EVIL: [EVIL]}),
    ]
    stack.broker.rows = (replace(stack.broker.rows[0], name=EVIL), *stack.broker.rows)
    stack.broker.waiting[EVIL] = [
        fakes.a_message(0, EVIL, task=EVIL, kwargs={EVIL: EVIL}),
        fakes.a_message(1, EVIL, id="", task="", args=None, kwargs=None, problem=EVIL),
    ]
    worker = replace(stack.control.rows[1], name=EVIL, verdict=EVIL, reason=EVIL, queues=(EVIL,), program=EVIL)
    stack.control.rows = (worker, *stack.control.rows)
    stack.supervisor.rows = tuple(replace(row, name=EVIL + row.name, description=EVIL) for row in stack.supervisor.rows)
    stack.supervisor.log = f"{EVIL}\n" * 5
    parameter = TaskParameter(EVIL, "choices", EVIL, False, EVIL, (EVIL, "b"), EVIL)
    stack.catalog.types = (TaskType(EVIL, EVIL, EVIL, EVIL, (parameter, replace(parameter, kind="choice"))),)
    return stack


class _Hanging(fakes.FakeBroker):
    """A broker that never answers an order."""

    def check_queue(self, name: str) -> None:
        threading.Event().wait()


class _Stuck(NexusApp):
    """A dashboard whose event loop does nothing any more once a view is chosen."""

    def action_view(self, name: str) -> None:
        while True:
            time.sleep(0.01)


def hanging() -> fakes.Fakes:
    """A stack on which no order ends."""
    stack = fakes.busy()
    stack.broker = _Hanging(stack.broker.rows, stack.broker.waiting)
    return stack


STACKS = {
    "busy": fakes.busy,
    "stuck": fakes.busy,
    "hanging": hanging,
    "idle": fakes.idle,
    "dead": fakes.dead,
    "hostile": hostile,
}

if __name__ == "__main__":
    make = _Stuck if sys.argv[1] == "stuck" else NexusApp
    app = make(STACKS[sys.argv[1]]().sources(), read_only="--read-only" in sys.argv)
    app.run()
    sys.exit(app.return_code)
