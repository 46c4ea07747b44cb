"""Changes of the schedule and of the history's file by the public Python interface."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from celery_nexus.actions.history import CompactHistory, ImportRuns
from celery_nexus.actions.marks import MarkMoment
from celery_nexus.actions.schedule import BackfillEntry, PauseEntry, ResumeEntry, RunEntry, SkipEntry
from celery_nexus.client.changing import Changing, Names, list_names
from celery_nexus.rows.marks import check_label

if TYPE_CHECKING:
    from celery_nexus.rows.outcomes import Outcome


class ScheduleChanges(Changing):
    """Run, pause, resume, skip and backfill entries of the schedule; marks; care for the history's file."""

    def mark(self, label: str) -> Outcome:
        """Mark this moment, as that of a deployment: charts show it, failures say whether they are new since then.

        >>> nexus.mark("v2.4").done
        True
        """
        return self.perform(MarkMoment((check_label(label),)))

    def schedule_run(self, entries: Names) -> Outcome:
        """Run entries of the schedule now, with their arguments and options; their times go on as they were.

        >>> nexus.schedule_run("add up").message.partition(" as ")[0]
        'add up: queued in celery'
        """
        return self.perform(RunEntry(list_names(entries)))

    def schedule_pause(self, entries: Names) -> Outcome:
        """Pause entries: beat sends nothing for them until they are resumed. What lies in code can't be paused.

        >>> nexus.schedule_pause("add up")
        Traceback (most recent call last):
        celery_nexus.errors.Refused: add up ...
        """
        return self.perform(PauseEntry(list_names(entries)))

    def schedule_resume(self, entries: Names) -> Outcome:
        """Resume paused entries. They count from now: what was due meanwhile is not made up for.

        >>> nexus.schedule_resume("no such entry")
        Traceback (most recent call last):
        celery_nexus.errors.NotFound: no entry ...
        """
        return self.perform(ResumeEntry(list_names(entries)))

    def schedule_skip(self, entries: Names) -> Outcome:
        """Skip the next due time of entries, once.

        >>> nexus.schedule_skip("add up")
        Traceback (most recent call last):
        celery_nexus.errors.Refused: add up ...
        """
        return self.perform(SkipEntry(list_names(entries)))

    def schedule_backfill(
        self, entry: str, since: datetime, until: datetime | None = None, *, only_missed: bool = False
    ) -> Outcome:
        """Publish the runs of an entry that were due in a window of the past, each with its due time in a header.

        Args:
            entry: Its name.
            since: Begin of the window, aware.
            until: Its end; None: now.
            only_missed: Whether only those are published for which the history knows no run.

        >>> from datetime import UTC, datetime, timedelta
        >>> now = datetime.now(UTC)
        >>> nexus.schedule_backfill("add up", now - timedelta(minutes=3), now).done
        True
        """
        return self.perform(BackfillEntry(entry, since, until, only_missed))

    def history_import(self, source: Path | None = None) -> Outcome:
        """Take runs into the history from an export (jsonl or csv); None: from what the result backend holds.

        >>> nexus.history_import().targets[0].message
        '0 taken, 0 known already'
        """
        return self.perform(ImportRuns(source))

    def history_compact(self) -> Outcome:
        """Give back the disk space of runs that were removed.

        >>> nexus.history_compact().done
        True
        """
        return self.perform(CompactHistory())
