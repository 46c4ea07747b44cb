"""Order to workers to finish what they hold, and then be restarted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from celery_nexus.actions.declaration import PROGRAM_KEY, Argument, Key, Option
from celery_nexus.actions.workers.consumers import Drain
from celery_nexus.actions.workers.orders import WORKERS
from celery_nexus.errors import Invalid
from celery_nexus.rows.outcomes import TargetOutcome
from celery_nexus.rows.text import duration
from celery_nexus.rows.workers import Worker
from celery_nexus.sources import Sources

WITHIN_S = 600.0
LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class DrainRestart(Drain):
    """Let workers finish what they hold, take nothing meanwhile, and restart their programs then.

    A worker that was started elsewhere, as those of another application, is only drained: nobody here can start it
    again. One that is not finished in time is not restarted.
    """

    label: ClassVar[str] = "Drain and restart"
    command_name: ClassVar[str] = "drain-restart"
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        WORKERS,
        Option("--within", "within_s", "How long its runs may take.", "SECONDS", type=float, default=WITHIN_S),
    )
    key: ClassVar[Key | None] = PROGRAM_KEY
    choice_key: ClassVar[str] = "w"

    within_s: float = WITHIN_S

    @property
    def consequence(self) -> str:
        """Say what happens in turn."""
        return f"It takes nothing more, has {duration(self.within_s)} to finish what it holds, and is restarted then."

    def check(self) -> None:
        """Refuse a time that is none."""
        if not 0 < self.within_s <= 86_400:
            raise Invalid("--within takes seconds, more than 0 and at most a day")

    def give_order(self, sources: Sources, workers: tuple[Worker, ...]) -> list[TargetOutcome]:
        """Drain all of them, then wait for each and restart its program."""
        steps, rows = sources.steps, list[TargetOutcome]()
        steps.begin(len(workers))
        drained = super().give_order(sources, workers)
        end = time.monotonic() + self.within_s
        for worker, told in zip(workers, drained, strict=True):
            rows.append(self._restart(sources, worker, end) if told.done else told)
            steps.add(rows[-1])
        return rows

    def _restart(self, sources: Sources, worker: Worker, end: float) -> TargetOutcome:
        if worker.program is None:
            told = (
                f"takes nothing more, finishes {_count_held(worker)}; restart it where it was started: no program here"
            )
            return TargetOutcome(worker.name, True, told)
        if sources.steps.is_stopped:
            return TargetOutcome(
                worker.name, False, f"not restarted: {sources.steps.why}; it takes nothing until it is"
            )
        left = self._wait(sources, worker, end)
        if left:
            return TargetOutcome(worker.name, False, f"{left}: not restarted, and takes nothing until it is")
        return TargetOutcome(worker.name, True, f"finished what it held; {sources.supervisor.restart(worker.program)}")

    def _wait(self, sources: Sources, worker: Worker, end: float) -> str:
        """Wait until it holds nothing; return what is in the way when that is not so."""
        told, steps = -1, sources.steps
        while True:
            now = next((row for row in sources.control.workers() if row.name == worker.name), None)
            if now is None or now.pid is None:
                return "it does not answer any more"
            held = _count_held(now)
            if not held:
                steps.note = ""
                return ""
            steps.note = f"waits for {worker.name}, which holds {held}"
            if self.heard is not None and held != told:
                told = held
                self.heard(worker.name, True, f"still holds {held}")
            if time.monotonic() >= end:
                return f"still holds {held} after {duration(self.within_s)}"
            if steps.wait(LOOK_EVERY_S):
                return f"{steps.why} while it still held {held}"


def _count_held(worker: Worker) -> int:
    return (worker.active or 0) + (worker.reserved or 0)
