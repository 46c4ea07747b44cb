"""Interface of the application that hosts the screens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from celery_nexus.actions.base import Action
from celery_nexus.rows.history import Recent
from celery_nexus.rows.outcomes import Outcome
from celery_nexus.rows.snapshot import Snapshot
from celery_nexus.sources import Sources
from nexus_tui.front_door.contexts import Context
from nexus_tui.jobs import Job
from nexus_tui.widgets.completion import Candidate
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.replay_bar import ReplayState


@dataclass(frozen=True, slots=True)
class Troubles:
    """What is wrong with each part of what is shown, in words for a panel's title; empty when it is fresh."""

    broker: str = ""
    workers: str = ""
    programs: str = ""
    history: str = ""

    @property
    def all(self) -> tuple[str, ...]:
        """The parts that are in trouble."""
        return tuple(text for text in (self.broker, self.workers, self.programs, self.history) if text)


@dataclass(frozen=True, slots=True)
class Blank:
    """Something that is typed before an action is asked for: its label, what stands there, a hint for an empty one."""

    label: str
    value: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be confirmed.

    Attributes:
        key: Its key in the dialog.
        label: Its words.
        action: What is done; with ``blanks`` an example of it.
        blanks: What is typed before.
        fill: Makes the action of what was typed, one text for each blank; raises ``SourceError`` for nonsense.
    """

    key: str
    label: str
    action: Action
    blanks: tuple[Blank, ...] = ()
    fill: Callable[[Sequence[str]], Action] | None = None

    @classmethod
    def of(
        cls,
        action: Action,
        label: str = "",
        *,
        key: str | None = None,
        blanks: tuple[Blank, ...] = (),
        fill: Callable[[Sequence[str]], Action] | None = None,
    ) -> Self:
        """Offer an action by its own words and key, unless others are given."""
        key = action.choice_key if key is None else key
        return cls(key, label or action.label.lower(), action, blanks, fill)


class Host(Protocol):
    """The application, as far as screens know it."""

    frozen: bool

    @property
    def sources(self) -> Sources:
        """Where everything comes from."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed now."""
        ...

    @property
    def context(self) -> Context | None:
        """The user's context that is open."""
        ...

    @property
    def open_for_s(self) -> float:
        """Seconds until a context that was unlocked is locked again; 0 when it is."""
        ...

    @property
    def place(self) -> str:
        """What the broker is, in words."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """What every source last said, workers joined with programs."""
        ...

    @property
    def recent(self) -> Recent:
        """The newest part of the history."""
        ...

    @property
    def troubles(self) -> Troubles:
        """What is wrong with the data now."""
        ...

    @property
    def tabs(self) -> Sequence[tuple[str, str, str]]:
        """The views: key, name, title."""
        ...

    @property
    def replay(self) -> ReplayState | None:
        """Where a replay is; None: what is shown is the present."""
        ...

    @property
    def jobs(self) -> Sequence[Job]:
        """The actions that were confirmed, the latest first."""
        ...

    @property
    def running_actions(self) -> tuple[str, ...]:
        """The actions at work, each with since when."""
        ...

    def ask(
        self,
        title: str,
        choices: Sequence[Choice],
        done: Callable[[Outcome], None] | None = None,
        *,
        about: Sequence[Line] = (),
        default: bool = True,
    ) -> None:
        """Ask the operator to confirm one of some actions, do it, and say what happened.

        Args:
            title: What it is about.
            choices: What can be done.
            done: Called with the outcome.
            about: What is known of the targets.
            default: Whether Enter does the first choice; without, one has to be chosen.
        """
        ...

    def leave(self) -> None:
        """Leave the dashboard; while an action runs, ask first."""
        ...

    def carry_out(
        self,
        choice: Choice,
        done: Callable[[Outcome], None] | None = None,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        """Do what was confirmed; ``refused`` is told what is wrong when nothing came of it."""
        ...

    def tell(self, text: str, *, title: str = "", severity: str = "information") -> None:
        """Show a notice; text and title may come from outside."""
        ...

    def copy(self, text: str, words: str) -> None:
        """Copy a text to the terminal's clipboard, tmux and a file, and say so in words."""
        ...

    def switch_context(self, name: str) -> str:
        """Go to another context; return what is wrong, or nothing: whether its broker answers is told later."""
        ...

    def obey(self, line: str) -> str:
        """Carry out a command line (``tasks state:failure``); return what is wrong with it, or nothing."""
        ...

    def history_of(self, kind: str) -> list[str]:
        """Return what was entered at a prompt, the latest last: of commands (``:``), of a view's filters."""
        ...

    def complete_run_filter(self, text: str) -> Sequence[Candidate]:
        """Offer ways to go on from a filter of runs or messages."""
        ...

    def complete_command(self, text: str) -> Sequence[Candidate]:
        """Offer ways to go on from a command line that is being typed."""
        ...

    def open_run(self, run_id: str) -> None:
        """Open a run."""
        ...

    def open_workflow(self, run_id: str) -> None:
        """Open the workflow of a run."""
        ...

    def open_jobs(self) -> None:
        """Open the list of the actions that were confirmed."""
        ...

    def open_logs(self, run_id: str = "", program: str = "") -> None:
        """Open what the programs wrote about a run, or what one of them wrote."""
        ...

    def submit(self, task: str = "") -> None:
        """Open the form of a new run, of a task that is named."""
        ...

    def freeze(self) -> None:
        """Hold the screen as it is, or let it go on."""
        ...

    def read_again(self) -> None:
        """Let every source be read now."""
        ...
