"""Actions on the history's file: compact it, fill it with runs from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import command_line, number
from celery_nexus.runs.file import HistoryFile
from celery_nexus.sources import Sources
from nexus_tui.actions.base import Action


@dataclass(frozen=True)
class CompactHistory(Action):
    """Give back the disk space of runs that were removed."""

    label: ClassVar[str] = "Compact the history"

    @property
    def question(self) -> str:
        """Name the consequence."""
        return "Rewrite the history's file without its gaps? The recorder waits meanwhile."

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return "nexus-tui history compact"

    def run(self, sources: Sources) -> Outcome:
        """Compact it."""
        path = sources.history.path
        before, after = HistoryFile(path).compact()
        return Outcome((TargetOutcome(str(path), True, f"{number(before)} bytes before, {number(after)} now"),))


@dataclass(frozen=True)
class ImportRuns(Action):
    """Take runs into the history that it doesn't know.

    Attributes:
        source: A jsonl or csv export; None for what the result backend holds.
    """

    label: ClassVar[str] = "Import runs"

    source: Path | None = None

    @property
    def question(self) -> str:
        """Name the source."""
        return f"Take the runs of {self.source or 'the result backend'} into the history? Known ones stay as they are."

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return command_line("history", "import", str(self.source) if self.source else "--results")

    def run(self, sources: Sources) -> Outcome:
        """Import them."""
        file = HistoryFile(sources.history.path)
        if self.source is not None:
            found = file.import_file(self.source)
        else:
            prefix = sources.broker.layout.prefix
            found = file.import_results(sources.broker.url, prefix, with_results=sources.history.is_foreign)
        words = f"{number(found.taken)} taken, {number(found.known)} known already"
        words += f", {number(found.bad)} were no runs" if found.bad else ""
        return Outcome((TargetOutcome(str(self.source or "result backend"), True, words),))
