"""Commands typed after ``:``, their completion, and what is opened by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from celery_nexus.filters.vocabulary import RUN_FIELDS
from celery_nexus.rows.outcomes import Outcome
from celery_nexus.rows.snapshot import Snapshot
from celery_nexus.rows.text import safe_text
from nexus_tui import commands, theme
from nexus_tui.known_values import KnownValues
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.filtering import FilteringScreen
from nexus_tui.unlocking import Unlocking
from nexus_tui.views import VIEWS
from nexus_tui.widgets.completion import Candidate, Complete, complete_filter, complete_words
from nexus_tui.widgets.prompt import Prompt


class Obeying(Unlocking, inherit_bindings=False):
    """The part of the dashboard that goes where it is told to."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._entered: dict[str, list[str]] = {}
        self._known = KnownValues(lambda: self.call_later(self._offer_known))

    @property
    def snapshot(self) -> Snapshot:
        """What every source last said."""
        raise NotImplementedError

    def history_of(self, kind: str) -> list[str]:
        """Return what was entered at a prompt, the latest last."""
        return self._entered.setdefault(kind, [])

    def complete_command(self, text: str) -> Sequence[Candidate]:
        """Offer ways to go on from a command line that is being typed."""
        queues = [queue.name for queue in self.snapshot.queues.value or ()]
        workers = [worker.name for worker in self.snapshot.workers.value or ()]
        screen = self.screen
        names: dict[str, Complete] = {
            "": lambda rest: complete_words(rest, 0, (*queues, *workers)) if rest else (),
            "queue": lambda rest: complete_words(rest, 0, queues),
            "worker": lambda rest: complete_words(rest, 0, workers),
            "theme": lambda rest: complete_words(rest, 0, theme.THEME_NAMES),
            "context": lambda rest: complete_words(rest, 0, self.context_names),
            "submit": lambda rest: complete_words(rest, 0, (task for task, _ in self.values_of_runs("task"))),
            "tasks": self.complete_run_filter,
        }
        if isinstance(screen, ArrangedScreen):
            names["sort"] = lambda rest: complete_words(rest, 0, screen.sort_names)
        if isinstance(screen, FilteringScreen):
            names["filter"] = lambda rest: complete_words(rest, 0, screen.read_saved())
        return commands.complete(text, list(VIEWS), names)

    def values_of_runs(self, field: str) -> Sequence[tuple[str, int | None]]:
        """Return the values of a field of runs that are known, each with how often it was in the last month."""
        self._known.refresh(self.sources)
        return self._known.values_of(field, self.snapshot)

    def complete_run_filter(self, text: str) -> Sequence[Candidate]:
        """Offer ways to go on from a filter of runs."""
        return complete_filter(text, RUN_FIELDS.fields, self.values_of_runs)

    def obey(self, line: str) -> str:
        """Carry out a command line; return what is wrong with it, or nothing."""
        word, _, rest = line.strip().partition(" ")
        if not word:
            return ""
        try:
            command = commands.resolve(word, list(VIEWS))
        except commands.UnknownCommand as unknown:
            return "" if self._open_named(line.strip()) else safe_text(str(unknown), 300)
        return self._obey(command, rest.strip())

    def open_run(self, run_id: str) -> None:
        """Open a run."""
        from nexus_tui.screens.run import RunScreen

        self.push_screen(RunScreen(run_id))

    def open_workflow(self, run_id: str) -> None:
        """Open the workflow of a run."""
        from nexus_tui.screens.workflow import WorkflowScreen

        self.push_screen(WorkflowScreen(run_id))

    def open_logs(self, run_id: str = "", program: str = "") -> None:
        """Open what the programs wrote about a run, or what one of them wrote."""
        from nexus_tui.screens.logs import LogsScreen

        self.push_screen(LogsScreen(run_id, program))

    def action_open_jobs(self) -> None:
        """Open the actions that were confirmed: those at work, and what became of the others."""
        self.open_jobs()

    def open_jobs(self) -> None:
        """Open the list of the actions that were confirmed."""
        from nexus_tui.screens.jobs import JobsScreen

        if not isinstance(self.screen, JobsScreen):
            self.push_screen(JobsScreen())

    def submit(self, task: str = "") -> None:
        """Open the form of a new run, of a task that is named."""
        if self.sources.allowed is not None and "submit" not in self.sources.allowed:
            self.tell("submit is not allowed in this context", severity="warning")
            return
        from nexus_tui.screens.dialogs.submit import SubmitScreen

        self.push_screen(SubmitScreen(task), self._submitted)

    def _offer_known(self) -> None:
        """Let an open prompt offer what was read meanwhile."""
        for prompt in self.screen.query(Prompt):
            if prompt.is_open:
                prompt.offer()

    def _submitted(self, outcome: Outcome | None) -> None:
        if outcome is not None:
            self.tell_outcome(outcome)
            self.read_again()
            self.open_run(outcome.targets[0].target)

    def _obey(self, command: str, rest: str) -> str:
        if command in VIEWS:
            self._go_to_view(command)
            if command == "tasks" and rest:
                self.call_after_refresh(self._show_filter, rest)
            if command == "logs" and rest:
                programs = {program.name for program in self.snapshot.programs.value or ()}
                is_program = rest in programs
                self.open_logs("" if is_program else rest, rest if is_program else "")
            return ""
        way = self._ways.get(command)
        if way is not None:
            return way(rest) or ""
        deeds = {"help": "help", "refresh": "read_again", "freeze": "freeze"}
        self.call_next(self.screen.run_action, deeds[command])
        return ""

    @property
    def _ways(self) -> dict[str, Callable[[str], str | None]]:
        """What commands do that take words, or end something; each returns what is wrong, or nothing."""
        return {
            "quit": lambda _: self.leave(),
            "theme": self._use_theme,
            "context": lambda rest: self.switch_context(rest) if rest else self.choose_context(),
            "unlock": self.unlock,
            "lock": lambda _: self.lock(),
            "jobs": lambda _: self.open_jobs(),
            "dead-letters": lambda _: self._open_dead_letters(),
            "alerts": lambda _: self._open_alerts(),
            "sort": self._sort,
            "save": self._save,
            "filter": self._filter,
            "submit": self._submit,
            "queue": lambda rest: self._open("queue", rest),
            "worker": lambda rest: self._open("worker", rest),
            "run": lambda rest: self._open("run", rest),
        }

    def _open_dead_letters(self) -> None:
        from nexus_tui.screens.dead_letters import DeadLettersScreen

        self.push_screen(DeadLettersScreen())

    def _open_alerts(self) -> None:
        from nexus_tui.screens.alerts import AlertsScreen

        self.push_screen(AlertsScreen())

    def _sort(self, name: str) -> str:
        return self.screen.sort_by(name) if isinstance(self.screen, ArrangedScreen) else "nothing is sorted here"

    def _save(self, name: str) -> str:
        return self.screen.save_filter(name) if isinstance(self.screen, FilteringScreen) else "nothing is filtered here"

    def _filter(self, name: str) -> str:
        if not isinstance(self.screen, FilteringScreen):
            return "nothing is filtered here"
        saved = self.screen.read_saved()
        return self.screen.use_filter(saved[name]) if name in saved else f"saved are {', '.join(saved) or 'none yet'}"

    def _submit(self, task: str) -> str:
        if self.read_only:
            return f"read-only: nothing can be submitted; {safe_text(self.sources.how_to_write, 200)}"
        self.submit(task)
        return ""

    def _go_to_view(self, name: str) -> None:
        """Show a view itself, not what was opened from it."""
        self.switch_mode(name)
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def _open_named(self, name: str) -> bool:
        """Open the queue or worker that is called so; tell whether there is one."""
        for kind, rows in (("queue", self.snapshot.queues.value), ("worker", self.snapshot.workers.value)):
            if any(row.name == name for row in rows or ()):
                self._open(kind, name)
                return True
        return False

    def _open(self, kind: str, name: str) -> str:
        if not name:
            return f"{kind} needs a name"
        if kind == "run":
            self.open_run(name)
        elif kind == "queue":
            from nexus_tui.screens.queues import QueueScreen

            self.push_screen(QueueScreen(name))
        else:
            from nexus_tui.screens.workers import WorkerScreen

            workers = self.snapshot.workers.value or ()
            program = next((worker.program for worker in workers if worker.name == name), None)
            self.push_screen(WorkerScreen(name, program))
        return ""

    def _use_theme(self, name: str) -> str:
        if name not in theme.THEME_NAMES:
            return f"themes: {', '.join(theme.THEME_NAMES)}"
        self.theme = name
        return ""

    def _show_filter(self, text: str) -> None:
        from nexus_tui.screens.tasks import TasksScreen

        if isinstance(self.screen, TasksScreen):
            self.screen.set_filter(text)
