"""The views of the dashboard: declared here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nexus_tui.screens.base import NexusScreen
from nexus_tui.screens.failures import FailuresScreen
from nexus_tui.screens.pulse import PulseScreen
from nexus_tui.screens.queues import QueuesScreen
from nexus_tui.screens.stats import StatsScreen
from nexus_tui.screens.tasks import TasksScreen
from nexus_tui.screens.workers import WorkersScreen


@dataclass(frozen=True)
class View:
    """One view: its number key, its name after ``:``, its title, its screen."""

    key: str
    name: str
    title: str
    screen: Callable[[], NexusScreen]


VIEWS = {
    view.name: view
    for view in (
        View("1", "pulse", "Pulse", PulseScreen),
        View("2", "queues", "Queues", QueuesScreen),
        View("3", "tasks", "Tasks", TasksScreen),
        View("4", "failures", "Failures", FailuresScreen),
        View("5", "workers", "Workers", WorkersScreen),
        View("7", "stats", "Stats", StatsScreen),
    )
}
"""The views, in the order of their tabs; keys, tabs, commands and palette follow from it."""

FIRST_VIEW = "pulse"
