"""Registry of the dashboard's views."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from nexus_tui.screens.bases.base import NexusScreen


@dataclass(frozen=True)
class View:
    """One view.

    Attributes:
        key: Its number key.
        name: What it is called after ``:``.
        title: What its tab says.
        place: Its module in :mod:`nexus_tui.screens`, and the class; loaded when the view is first opened.
    """

    key: str
    name: str
    title: str
    place: str

    def screen(self) -> NexusScreen:
        """Make its screen."""
        module, _, name = self.place.partition(".")
        screen: NexusScreen = getattr(import_module(f"nexus_tui.screens.{module}"), name)()
        return screen


VIEWS = {
    view.name: view
    for view in (
        View("1", "pulse", "Pulse", "pulse.PulseScreen"),
        View("2", "queues", "Queues", "queues.QueuesScreen"),
        View("3", "tasks", "Tasks", "tasks.TasksScreen"),
        View("4", "failures", "Failures", "failures.FailuresScreen"),
        View("5", "workers", "Workers", "workers.WorkersScreen"),
        View("6", "schedule", "Schedule", "schedule.ScheduleScreen"),
        View("7", "stats", "Stats", "stats.StatsScreen"),
        View("8", "logs", "Logs", "logs.LogsScreen"),
        View("9", "audit", "Audit", "audit.AuditScreen"),
    )
}
"""The views, in the order of their tabs; keys, tabs, commands and palette follow from it."""

FIRST_VIEW = "pulse"
