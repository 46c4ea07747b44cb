"""The dashboard: hosts the views, reads the sources, repaints at most four times a second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from textual import constants, on
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.filter import Monochrome
from textual.message import Message
from textual.screen import Screen

from celery_nexus.rows import moment
from celery_nexus.rows.history import Recent
from celery_nexus.rows.snapshot import Snapshot
from celery_nexus.rows.text import safe_text
from celery_nexus.sources import Sources
from nexus_tui import commands, theme
from nexus_tui.feeds import Feeds, Known
from nexus_tui.front_door.opening import Opened
from nexus_tui.obeying import Obeying
from nexus_tui.preferences.keymap import read_keys, rebind, use_keymap
from nexus_tui.preferences.user_files import config_path
from nexus_tui.screens.bases.base import NexusScreen
from nexus_tui.screens.frame.host import Troubles
from nexus_tui.screens.tables import queue_looks
from nexus_tui.terminal.canvas import Canvas, ChangedCells
from nexus_tui.terminal.colours import FewColours, wants_no_colour
from nexus_tui.terminal.safe_output import AsciiOutput, SafeOutput, needs_ascii
from nexus_tui.views import FIRST_VIEW, VIEWS
from nexus_tui.widgets.replay_bar import ReplayState

REPAINT_PAUSE_S = 0.25
"""Shortest time between two repaints that changes of the sources cause."""

TELL_PROBLEMS_S = 30.0
"""Time for which what is wrong with the user's keys is shown."""


class NexusApp(Obeying, inherit_bindings=False):
    """The dashboard of one stack.

    Args:
        sources: Where everything comes from.
        view: Name of the view to open.
        filter_text: Filter of the Tasks view.
        read_only: Refuse everything that changes the world, and say why where it is asked for.
        known: What is known of the application now; by default what is read from the sources again and again.
        opened: The user's context that the sources are of; None: they are of none.
        ascii_only: Draw with ASCII; by default where the locale has no UTF-8 or ``NEXUS_ASCII`` is set.
    """

    TITLE = "Nexus"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[Any]] = {commands.ScreenCommands}
    MODES: ClassVar[dict[str, Any]] = {name: view.screen for name, view in VIEWS.items()}
    DEFAULT_MODE = FIRST_VIEW
    ALLOW_SELECT = False
    # What a list's row is in full stands beside the list, or below it, where there is room. Textual types both as
    # attributes of an instance.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (180, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (36, "-tall")]  # noqa: RUF012

    CSS = """
    NexusScreen { background: $background; color: $foreground; overflow: hidden; }
    Toast { background: $panel; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(view.key, f"view('{view.name}')", view.title, show=False) for view in VIEWS.values()),
        Binding("ctrl+c", "how_to_leave", "how to leave", show=False, system=True),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, system=True),
    ]

    class Changed(Message):
        """A source said something new."""

        def can_replace(self, message: Message) -> bool:
            """A flood of changes is one change."""
            return isinstance(message, NexusApp.Changed)

    def __init__(
        self,
        sources: Sources,
        *,
        view: str = FIRST_VIEW,
        filter_text: str = "",
        read_only: bool = False,
        known: Known | None = None,
        opened: Opened | None = None,
        ascii_only: bool | None = None,
    ) -> None:
        super().__init__(sources, opened, read_only=read_only)
        self._key_problems = self._use_own_keys()
        self.animation_level = "none"
        queue_looks.use(sources.code.queues)
        self.frozen = False
        self._first_view = "tasks" if filter_text and view == FIRST_VIEW else view
        self._filter_text = filter_text
        self._drawn_at = 0.0
        self._draw_is_due = False
        self._minute = ""
        self._told_silent = set[str]()
        self._canvas = Canvas()
        self._filters = [each for each in self._filters if not isinstance(each, Monochrome)]  # it draws in greys
        self._filters.append(SafeOutput())
        if needs_ascii() if ascii_only is None else ascii_only:
            self._filters.append(AsciiOutput())
        for each in theme.themes():
            self.register_theme(each)
        self.theme = theme.DEFAULT_THEME
        self._feeds: Known = known or Feeds(self.sources, lambda: self.post_message(self.Changed()))

    def _use_own_keys(self) -> tuple[str, ...]:
        """Let keys be those of the user's file, as long as nothing in it is wrong; return what is."""
        if not config_path("keys.toml").exists():
            use_keymap({})
            return ()
        from nexus_tui.places import list_places

        found = read_keys(list_places(list(Binding.make_bindings(self.BINDINGS))))
        use_keymap(found.keymap)
        self._bindings = rebind(self._bindings)
        return found.problems

    def get_driver_class(self) -> type[Driver]:
        """Drive the terminal our way, unless Textual's environment variable names another."""
        if constants.DRIVER:
            return super().get_driver_class()
        from nexus_tui.terminal.driver import QuietDriver

        return QuietDriver

    # What screens ask (screens.host.Host)

    @property
    def tabs(self) -> Sequence[tuple[str, str, str]]:
        """The views: key, name, title."""
        return [(view.key, view.name, view.title) for view in VIEWS.values()]

    @property
    def place(self) -> str:
        """What the broker is, in words."""
        return self._feeds.place

    @property
    def snapshot(self) -> Snapshot:
        """What every source last said, workers joined with programs."""
        return self._feeds.snapshot

    @property
    def recent(self) -> Recent:
        """The newest part of the history."""
        return self._feeds.recent

    @property
    def troubles(self) -> Troubles:
        """What is wrong with the data now."""
        return self._feeds.troubles

    @property
    def replay(self) -> ReplayState | None:
        """Where a replay is; None: this is none."""
        return None

    def freeze(self) -> None:
        """Hold the screen as it is, or let it go on with what is now."""
        self.frozen = not self.frozen
        if not self.frozen:
            self.read_again()

    def read_again(self) -> None:
        """Let every source be read now."""
        self._feeds.read_now()
        self._draw()

    # Keys

    def action_view(self, name: str) -> None:
        """Go to a view; the one that is on the screen goes back to its top."""
        if isinstance(self.screen, NexusScreen):
            if self.current_mode == name and len(self.screen_stack) > 1:
                self.screen.dismiss()
            else:
                self.switch_mode(name)

    def action_how_to_leave(self) -> None:
        """Say how to leave: Ctrl+C is too easily typed to end everything."""
        self.tell("q leaves, from inside a view after going back; :q leaves from anywhere")

    # Painting

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        """Write only what the terminal does not show yet."""
        if isinstance(renderable, ChopsUpdate | LayoutUpdate):
            renderable = ChangedCells(renderable, self._canvas, self.size)
        super()._display(screen, renderable)

    # Life

    def on_mount(self) -> None:
        """Open the first view and begin to read."""
        self.use_background()
        has_few = not self.is_headless and self.console.color_system in (None, "standard")
        if wants_no_colour() or has_few:
            self._filters.append(FewColours(none=wants_no_colour()))
        self.switch_mode(self._first_view if self._first_view in VIEWS else FIRST_VIEW)
        self._feeds.start()
        if self._key_problems:
            told = safe_text("; ".join((*self._key_problems[:3], "the usual keys hold")), 1000)
            show = partial(self.notify, told, severity="error", timeout=TELL_PROBLEMS_S, markup=False)
            self.set_timer(REPAINT_PAUSE_S, show)  # not before a screen can show it
        self.set_interval(1.0, self._tick)
        if self._filter_text:
            self.call_after_refresh(self._show_filter, self._filter_text)

    def on_unmount(self) -> None:
        """Stop reading."""
        self._feeds.stop()

    @on(Driver.SignalResume)
    def _back_from_the_shell(self) -> None:
        """Paint everything: the terminal has forgotten it."""
        self._canvas.forget()
        self.screen.refresh(layout=True)
        self.read_again()

    @on(Changed)
    def _changed(self) -> None:
        if self._draw_is_due or self.frozen:
            return
        pause_s = self._drawn_at + REPAINT_PAUSE_S - time.monotonic()
        if pause_s <= 0:
            self._draw()
        else:
            self._draw_is_due = True
            self.set_timer(pause_s, self._draw)

    def _draw(self) -> None:
        self._draw_is_due = False
        if self.frozen:  # since the repaint was put off
            return
        self._drawn_at = time.monotonic()
        for screen in self.screen_stack:
            if isinstance(screen, NexusScreen) and screen.is_current:
                screen.redraw(moment.now())

    def _tick(self) -> None:
        """Draw what changes by itself: ages of stale data, how long runs run, the minute."""
        minute = f"{moment.now():%H:%M}"
        self._tell_silent_workers()
        self.watch_lock()
        if self.frozen:
            return
        moves = self.recent.running or self.running_actions or self.troubles.all or self.open_for_s
        if moves or minute != self._minute:
            self._minute = minute
            self._changed()

    def _tell_silent_workers(self) -> None:
        """Say once of each worker of another application that it does work and sends no events of it."""
        recording = self.sources.recording
        new = set(recording.silent) - self._told_silent if recording else set[str]()
        if recording and new:
            self._told_silent = set(recording.silent)
            way = "celery worker -E, or nexus-tui events enable" if self.read_only else "E asks them to"
            names = ", ".join(sorted(new))
            self.tell(f"{names}: runs begin and no events of them are sent. {way}", severity="warning")
