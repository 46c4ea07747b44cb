"""Remote control commands of workers that have the library: what Celery lacks, and what it would forget.

Celery's own registry is shared by all applications of a process. Ours belongs to the worker: its mailbox gets Celery's
commands with ours in their place.
"""

# Celery's remote control has no complete stubs
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.worker import control
from celery.worker.consumer.control import Control

_Panel: Any = control.Panel


class Commands(_Panel):
    """The commands that a worker with the library answers beside Celery's."""

    data: dict[str, Any] = {}  # noqa: RUF012  Celery's way of declaring a registry
    meta: dict[str, Any] = {}  # noqa: RUF012


class CommandsStep(bootsteps.StartStopStep):
    """Lets the worker's mailbox answer our commands, from its first message on."""

    requires = (Control,)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        step: Any = parent.blueprint.steps.get(Control.name)
        box: Any = getattr(step, "box", None)
        if box is not None:  # no remote control
            box.node.handlers = {**_Panel.data, **Commands.data}
