"""Every screen with keys of its own, and all bindings that are active in each."""

from __future__ import annotations

from textual.binding import Binding
from textual.widget import Widget

from nexus_tui.screens.alerts import AlertsScreen
from nexus_tui.screens.bases.base import NexusScreen
from nexus_tui.screens.dead_letters import DeadLettersScreen
from nexus_tui.screens.jobs import JobsScreen
from nexus_tui.screens.queues import QueueScreen
from nexus_tui.screens.run import RunScreen
from nexus_tui.screens.schedule import EntryScreen
from nexus_tui.screens.workers import WorkerScreen
from nexus_tui.screens.workflow import WorkflowScreen
from nexus_tui.views import VIEWS
from nexus_tui.widgets.reader import Reader
from nexus_tui.widgets.tables.table import Table


def screens_with_keys() -> dict[str, type[NexusScreen]]:
    """List the screens with keys of their own: the views, and what opens from them."""
    views = {view.title: type(view.screen()) for view in VIEWS.values()}
    opened: dict[str, type[NexusScreen]] = {
        "a queue": QueueScreen,
        "a run": RunScreen,
        "a workflow": WorkflowScreen,
        "a worker": WorkerScreen,
        "an entry": EntryScreen,
        "dead letters": DeadLettersScreen,
        "alerts": AlertsScreen,
        "jobs": JobsScreen,
    }
    return views | opened


def list_places(application: list[Binding]) -> dict[str, list[Binding]]:
    """List each screen with its bindings, those of the application, and those of the tables, or of the texts, in it."""
    places: dict[str, list[Binding]] = {}
    for name, screen in screens_with_keys().items():
        places[name] = [*_own(screen), *_own(Table), *application]
        places[f"texts of {name}"] = [*_own(screen), *_own(Reader), *application]
    return places


def _own(kind: type[Widget]) -> list[Binding]:
    """List the bindings that a class declares or inherits from ours."""
    ours = [each for each in kind.__mro__ if each.__module__.startswith("nexus_tui")]
    return list(Binding.make_bindings(row for each in ours for row in each.__dict__.get("BINDINGS", ())))
