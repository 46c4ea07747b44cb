"""Actions on events: workers begin or stop sending them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Argument, Key, Option, Section
from celery_nexus.errors import NotFound
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources

_WORKERS = Argument(
    "workers", "[WORKER]…", "A worker's node name; all workers when none is named.", is_required=False, is_many=True
)


@dataclass(frozen=True)
class EnableEvents(Action):
    """Let the history hear of runs; it costs workers some CPU, and ends when they are restarted."""

    label: ClassVar[str] = "Enable events"
    command_name: ClassVar[str] = "events enable"
    section: ClassVar[Section] = Section.WORKERS
    parameters: ClassVar[tuple[Argument | Option, ...]] = (_WORKERS,)
    key: ClassVar[Key | None] = Key("E", "enable_events", "enable events")
    choice_key: ClassVar[str] = "E"

    workers: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """Name the workers and the consequence."""
        return f"Ask {', '.join(self.workers) or 'every worker'} to send events of its runs, as with -E?"

    def run(self, sources: Sources) -> Outcome:
        """Tell them, and name those that answer."""
        return _told(sources, self.workers, send=True)


@dataclass(frozen=True)
class DisableEvents(Action):
    """Let workers keep to themselves what they run: no monitor hears of it, this history neither."""

    label: ClassVar[str] = "Disable events"
    command_name: ClassVar[str] = "events disable"
    section: ClassVar[Section] = Section.WORKERS
    parameters: ClassVar[tuple[Argument | Option, ...]] = (_WORKERS,)

    workers: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """Name the workers and the consequence."""
        return f"Ask {', '.join(self.workers) or 'every worker'} to send no more events of its runs?"

    def run(self, sources: Sources) -> Outcome:
        """Tell them, and name those that answer."""
        return _told(sources, self.workers, send=False)


def _told(sources: Sources, workers: tuple[str, ...], *, send: bool) -> Outcome:
    answers = sources.control.set_events(workers, send=send)
    if not answers and not workers:
        raise NotFound("no worker answers")
    words = {True: "sends events now", False: "sent events already"}
    if not send:
        # A worker that was started with -E answers the same as one that sends none.
        words = {True: "sends no more events", False: "sent none, or was started with -E: only a restart ends that"}
    silent = [name for name in workers if name not in answers]
    return Outcome(
        (
            *(TargetOutcome(name, True, words[changed]) for name, changed in sorted(answers.items())),
            *(TargetOutcome(name, False, "does not answer", is_missing=True) for name in silent),
        )
    )
