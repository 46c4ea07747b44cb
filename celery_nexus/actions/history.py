"""Actions on the history's file: compact it, fill it with runs from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Argument, Option, Section
from celery_nexus.errors import Invalid
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import number
from celery_nexus.sources import Sources


@dataclass(frozen=True)
class CompactHistory(Action):
    """Give back the disk space of runs that were removed."""

    label: ClassVar[str] = "Compact the history"
    command_name: ClassVar[str] = "history compact"
    section: ClassVar[Section] = Section.PAST

    @property
    def question(self) -> str:
        """Name the consequence."""
        return "Rewrite the history's file without its gaps? The recorder waits meanwhile."

    def run(self, sources: Sources) -> Outcome:
        """Compact it."""
        from celery_nexus.runs.file import HistoryFile

        path = sources.history.path
        before, after = HistoryFile(path).compact()
        return Outcome((TargetOutcome(str(path), True, f"{number(before)} bytes before, {number(after)} now"),))


@dataclass(frozen=True)
class ImportRuns(Action):
    """Take runs into the history, from an export or the result backend; those that it knows stay as they are.

    Attributes:
        source: None for what the result backend holds.
    """

    label: ClassVar[str] = "Import runs"
    command_name: ClassVar[str] = "history import"
    section: ClassVar[Section] = Section.PAST
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument("source", "[FILE]", "A jsonl or csv export.", type=Path, is_required=False),
        Option("--results", "results", "Take what the result backend on this Redis still holds."),
    )

    source: Path | None = None

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Take a file, or what the result backend holds."""
        if (given["source"] is None) != given["results"]:
            raise Invalid("give a FILE (jsonl or csv, as nexus-tui export writes them), or --results")
        return cls(given["source"])

    def value_of(self, parameter: str) -> Any:
        """Return what the command says for a parameter."""
        return self.source is None if parameter == "results" else super().value_of(parameter)

    @property
    def question(self) -> str:
        """Name the source."""
        return f"Take the runs of {self.source or 'the result backend'} into the history? Known ones stay as they are."

    def run(self, sources: Sources) -> Outcome:
        """Import them."""
        from celery_nexus.runs.file import HistoryFile

        file = HistoryFile(sources.history.path)
        if self.source is not None:
            found = file.import_file(self.source)
        else:
            prefix = sources.broker.layout.prefix
            found = file.import_results(sources.broker.url, prefix, with_results=sources.history.is_foreign)
        words = f"{number(found.taken)} taken, {number(found.known)} known already"
        words += f", {number(found.bad)} were no runs" if found.bad else ""
        return Outcome((TargetOutcome(str(self.source or "result backend"), True, words),))
