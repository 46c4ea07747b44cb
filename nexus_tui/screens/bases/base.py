"""Base class of screens: health line, tabs, keys, prompt, and the bindings that work everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.widget import Widget

from celery_nexus.actions.base import Action
from celery_nexus.actions.submit import Submit
from celery_nexus.actions.workers.events import EnableEvents
from celery_nexus.rows import moment
from celery_nexus.rows.text import safe_text
from nexus_tui.preferences.keymap import rebind
from nexus_tui.screens.bases.undoing import UndoingScreen
from nexus_tui.screens.frame import health
from nexus_tui.screens.frame.host import Choice, Host
from nexus_tui.screens.frame.offers import bindings, explain_refusal, is_offer
from nexus_tui.screens.tables.needs import count_troubles
from nexus_tui.threads.poller import Feed
from nexus_tui.widgets.chrome import KeyBar, KeyWords, OneLine, TabBar
from nexus_tui.widgets.prompt import Prompt
from nexus_tui.widgets.replay_bar import ReplayBar
from nexus_tui.widgets.tables.table import Table

_EVERYWHERE = ("offer('submit')", "help", "command")
"""Actions that the footer shows last."""


class NexusScreen(UndoingScreen):
    """A view, or something opened from one.

    Attributes:
        view: Name of the view that it belongs to.
    """

    view: ClassVar[str] = ""
    _prompt: Prompt | None = None
    _keys: tuple[object, Sequence[KeyWords]] = (None, ())

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Submit),
        Binding("question_mark", "help", "keys"),
        Binding("colon", "command", "command"),
        *bindings(EnableEvents),
        Binding("y", "raw", "raw JSON", show=False),
        Binding("c", "copy", "copy", show=False),
        Binding("a", "copy_value", "copy a value", show=False),
        Binding("l", "logs", "log lines of it", show=False),
        Binding("w", "why", "why does it not move?", show=False),
        Binding("p", "freeze", "freeze the screen", show=False),
        Binding("r", "read_again", "refresh", show=False),
        Binding("0", "app.open_jobs", "jobs: what was asked for, and how far it is", show=False),
        Binding("q", "leave", "back or leave", show=False),
        Binding("escape,minus", "back", "back", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._bindings = rebind(self._bindings)

    @property
    def host(self) -> Host:
        """The application."""
        return cast(Host, self.app)

    def compose(self) -> ComposeResult:
        """Put the body between the lines that every screen has."""
        yield OneLine(id="health")
        yield TabBar(self.host.tabs, self.view)
        yield from self.body()
        self._prompt = Prompt()
        yield self._prompt
        if self.host.replay is not None:
            yield ReplayBar()
        yield KeyBar()

    def body(self) -> Iterable[Widget]:
        """Make the widgets between tabs and keys."""
        raise NotImplementedError

    def draw(self, now: datetime) -> None:
        """Show what the sources last said."""
        raise NotImplementedError

    @property
    def path(self) -> str:
        """Words behind the tabs: what is open."""
        return ""

    def read_selection(self) -> Any:
        """Return what the cursor is on: a row of the models that ``y`` shows and ``c`` copies the name of."""
        return None

    def name_of_selected(self) -> str:
        """Return the id or name that ``c`` copies."""
        item = self.read_selection()
        return str(getattr(item, "id", "") or getattr(item, "name", ""))

    def redraw(self, now: datetime) -> None:
        """Draw everything."""
        if not self.is_mounted or not self.query(KeyBar):  # Textual takes the widgets away before the screen
            return
        self.query_one("#health", OneLine).show(*health.line(self.host, now))
        counts = count_troubles(self.host.snapshot, self.host.recent)
        self.query_one(TabBar).show(self.path, counts)
        self.draw(now)
        self.query_one(KeyBar).show(self.keys(), health.status(self.host))
        if self.host.replay is not None:
            self.query_one(ReplayBar).show(self.host.replay)

    def explain_no_runs(self, words: str) -> str:
        """Say why there are no runs: of another application none is known before its workers tell of any."""
        if not self.host.sources.is_foreign or self.host.recent.latest:
            return words
        if self.host.read_only:
            return "No run was heard of yet: do its workers send events (celery worker -E)?"
        return "No run was heard of yet: E asks the workers to send events"

    def keys(self) -> Sequence[KeyWords]:
        """List the keys of this screen that the footer shows, its own before those of every screen."""
        # Textual asks every widget from the focus upwards about each binding: too much for each repaint.
        asked = (self.focused, self._prompt_is_open, self.host.read_only)
        if self._keys[0] != asked:
            self._keys = (asked, self._active_keys())
        return self._keys[1]

    def _active_keys(self) -> Sequence[KeyWords]:
        return [
            (
                self.app.get_key_display(active.binding),
                active.binding.description,
                not self._refusal(active.binding.action),
            )
            for active in self._footer_bindings()
        ]

    def _footer_bindings(self) -> list[ActiveBinding]:
        shown = [row for row in self.active_bindings.values() if row.binding.show and row.binding.description]
        return sorted(shown, key=lambda row: row.binding.action in _EVERYWHERE)

    @on(KeyBar.Pressed)
    async def _key_clicked(self, event: KeyBar.Pressed) -> None:
        shown = self._footer_bindings()
        if event.place < len(shown):
            await self.app.run_action(shown[event.place].binding.action, shown[event.place].node)

    def _refusal(self, textual_action: str) -> str:
        return explain_refusal(textual_action, self.host.sources)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out what changes the world while the prompt has the keys."""
        if self._prompt_is_open and (is_offer(action) or action in ("command", "filter")):
            return False
        return parameters != ("enable_events",) or self.host.sources.is_foreign

    # Keys

    def action_offer(self, name: str) -> None:
        """Offer the actions behind a key, or say why not: everything that changes the world comes through here."""
        refusal = self._refusal(f"offer('{name}')")
        if refusal:
            self.host.tell(refusal, severity="warning")
        else:
            getattr(self, f"offer_{name}")()

    def offer_submit(self) -> None:
        """Open the form of a new run."""
        self.host.submit()

    def offer_enable_events(self) -> None:
        """Ask the workers of another application to send events of their runs."""
        self.host.ask("Events", [Choice.of(EnableEvents())])

    def action_help(self) -> None:
        """Show the keys of this view."""
        from nexus_tui.screens.dialogs.help import HelpScreen

        self.app.push_screen(HelpScreen(self))

    def action_command(self) -> None:
        """Type a command."""
        history = self.host.history_of(":")
        complete = self.host.complete_command
        self.query_one(Prompt).open(":", complete=complete, history=history, hint="a view, a queue, a worker, q, …")

    def action_raw(self) -> None:
        """Show what the cursor is on as JSON."""
        item = self.read_selection()
        if item is not None:
            from nexus_tui.screens.dialogs.raw import RawScreen

            self.app.push_screen(RawScreen(self.name_of_selected(), item))

    def action_copy(self) -> None:
        """Copy the id or name under the cursor."""
        name = self.name_of_selected()
        if name:
            self.host.copy(name, name)

    def action_copy_value(self) -> None:
        """Choose a value of what the cursor is on, and copy it: a path in a result, an address, an id."""
        item = self.read_selection()
        if item is None:
            self.host.tell("nothing is under the cursor")
            return
        from nexus_tui.screens.dialogs.values import ValuesScreen

        def copy(value: str | None) -> None:
            if value is not None:
                self.host.copy(value, value)

        self.app.push_screen(ValuesScreen(self.name_of_selected(), item), copy)

    def run_of_selected(self) -> str:
        """Return the id of the run that the cursor is on, or of the latest that its row is about; empty for none."""
        return ""

    def action_logs(self) -> None:
        """Show what the programs wrote about what the cursor is on."""
        if run_id := self.run_of_selected():
            self.host.open_logs(run_id)
        else:
            self.host.tell("Nothing here names a run: 8 shows all log lines")

    def action_why(self) -> None:
        """Say what holds what the cursor is on: a run, a queue, a worker."""
        name = self.name_of_selected()
        if name:
            from nexus_tui.screens.dialogs.why import WhyScreen

            def carry_out(action: Action | None) -> None:
                if action is not None:
                    self.host.ask(f"Free {safe_text(name, 60)}", [Choice.of(action)])

            self.app.push_screen(WhyScreen(name, self.host.sources), carry_out)

    def action_freeze(self) -> None:
        """Hold the screen as it is, or let it go on."""
        self.host.freeze()
        self.query_one(KeyBar).show(self.keys(), health.status(self.host))

    def action_read_again(self) -> None:
        """Read every source now."""
        self.host.read_again()

    def action_back(self) -> None:
        """Close what is open; at the top of a view nothing."""
        if len(self.app.screen_stack) > 1:
            self.dismiss()

    def action_leave(self) -> None:
        """Close what is open; at the top leave the dashboard."""
        if len(self.app.screen_stack) > 1:
            self.dismiss()
        else:
            self.host.leave()

    # The prompt

    @on(Prompt.Entered)
    def _prompt_entered(self, event: Prompt.Entered) -> None:
        prompt = self.query_one(Prompt)
        if event.sign == ":":
            problem = self.host.obey(event.text)
            if problem:
                prompt.complain(problem)
                return
        elif not self.filter_entered(event.text):
            return
        self._close_prompt(event.text)

    @on(Prompt.Typed)
    def _prompt_typed(self, event: Prompt.Typed) -> None:
        if type(event) is Prompt.Typed and event.sign == "/":
            self.filter_typed(event.text)

    @on(Prompt.Cancelled)
    def _prompt_cancelled(self, event: Prompt.Cancelled) -> None:
        if event.sign == "/":
            self.filter_entered("")
        self._close_prompt()

    def filter_entered(self, text: str) -> bool:
        """Take a filter over; return False to keep the prompt open (it says what is wrong)."""
        return True

    def filter_typed(self, text: str) -> None:
        """See a filter while it is typed."""

    @property
    def _prompt_is_open(self) -> bool:
        return self._prompt is not None and self._prompt.is_open

    def _close_prompt(self, entered: str = "") -> None:
        prompt = self.query_one(Prompt)
        prompt.remember(entered)
        prompt.close()
        self.focus_body()

    def focus_body(self) -> None:
        """Give the keys to the main table or text."""
        for widget in self.query(Table):
            widget.focus()
            return

    @on(TabBar.Chosen)
    def _tab_chosen(self, event: TabBar.Chosen) -> None:
        self.host.obey(event.view)

    def own_feeds(self) -> Iterable[Feed[Any]]:
        """Return what reads for this screen alone: it rests while something else is on the screen."""
        return ()

    def on_screen_suspend(self) -> None:
        """Read nothing while nobody looks."""
        for feed in self.own_feeds():
            feed.rest()

    def on_screen_resume(self) -> None:
        """Draw what changed while something else was on top."""
        for feed in self.own_feeds():
            feed.go_on()
        self.call_after_refresh(self.redraw_now)

    def redraw_now(self) -> None:
        """Draw with the present time."""
        self.redraw(moment.now())
