"""Workers view: workers joined with their programs; and the view of one worker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget

from celery_nexus.actions.workers.programs import StartProgram
from celery_nexus.rows.text import UNKNOWN, age, number, percent, safe_lines, safe_text, size
from celery_nexus.rows.workers import Program, Worker
from celery_nexus.sources import Sources
from nexus_tui.screens.about import describe_program, describe_worker
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.beside import ListScreen
from nexus_tui.screens.bases.operations import program_choices, worker_choices
from nexus_tui.screens.bases.reading import ReadingScreen
from nexus_tui.screens.frame.host import Host
from nexus_tui.screens.frame.offers import bindings
from nexus_tui.screens.tables import cells, worker_cells
from nexus_tui.screens.tables.needs import weigh_worker
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.reader import Reader
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.table import Table

LOG_LINES = 200


class WorkersScreen(ArrangedScreen, ListScreen):
    """Every worker with its program, and the programs that are no workers; Enter opens, S starts and stops."""

    view = "workers"

    DEFAULT_CSS = """
    WorkersScreen ListPane { height: 2fr; }
    WorkersScreen.-tall ListPane Detail { height: 8; }
    WorkersScreen #programs { height: 1fr; min-height: 4; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(StartProgram),
    ]

    def body(self) -> Iterable[Widget]:
        """Make the two tables, and what the worker under the cursor is and does."""
        table = Table(
            worker_cells.WORKER_COLUMNS,
            worker_cells.worker_cells,
            lambda worker: worker.name,
            title="Workers",
            empty=_no_workers(self.host.sources),
            arrangement=Arrangement(worker_cells.WORKER_COLUMNS, weigh_worker, worker_cells.WORKER_FIELDS),
            id="rows",
        )
        yield from self.list_and_detail(table)
        yield Table(
            worker_cells.PROGRAM_COLUMNS,
            worker_cells.program_cells,
            lambda program: program.name,
            title="Programs",
            empty=_no_programs(self.host.sources),
            arrangement=Arrangement(worker_cells.PROGRAM_COLUMNS),
            id="programs",
        )

    def draw(self, now: datetime) -> None:
        """Show workers and programs."""
        workers, programs = self.query_one("#rows", Table), self.query_one("#programs", Table)
        snapshot, troubles = self.host.snapshot, self.host.troubles
        if snapshot.workers.value is not None:
            workers.fill(snapshot.workers.value)
        if snapshot.programs.value is not None:
            programs.fill(snapshot.programs.value)
        workers.say(stale=troubles.workers)
        programs.say(stale=troubles.programs)
        self.show_detail(now)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Tell of the worker under the cursor."""
        return safe_text(item.name), _worker_facts(item, now)

    def read_selection(self) -> Any:
        """Return the worker or program under the cursor of the table in focus."""
        focused = self.focused
        return (focused if isinstance(focused, Table) else self.query_one("#rows", Table)).aimed_item

    def action_logs(self) -> None:
        """Show what the program under the cursor wrote."""
        item = self.read_selection()
        program = item.program if isinstance(item, Worker) else item.name if item else None
        if program:
            self.host.open_logs(program=program)
        elif item:
            self.host.tell(f"{item.name} was started by hand: its log is where it was started")

    def offer_program(self) -> None:
        """Ask what to do with the selected, or with all marked, programs."""
        table = self.focused if isinstance(self.focused, Table) else self.query_one("#rows", Table)
        programs = {program.name: program for program in self.host.snapshot.programs.value or ()}
        if table.id == "programs":
            chosen = [programs[name] for name in table.targets() if name in programs]
            if chosen:
                names = [program.name for program in chosen]
                self.host.ask(
                    _named("Program", names), program_choices(names), about=list(map(describe_program, chosen))
                )
        elif workers := self._workers(table):
            self._ask_workers(workers)

    def _ask_workers(self, workers: Sequence[Worker]) -> None:
        names = [worker.program for worker in workers if worker.program]
        about = list(map(describe_worker, workers))
        if len(workers) == 1:
            ask_worker(self.host, workers[0].name, workers[0].program, workers[0])
        elif len(names) == len(workers):
            self.host.ask(_named("Program", names), program_choices(names), about=about)
        else:
            by_hand = ", ".join(worker.name for worker in workers if not worker.program)
            told = f"Nothing is done to the {len(workers)} marked: {by_hand} was started by hand and has no program"
            self.host.tell(told, severity="warning")

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        item = event.item
        self.app.push_screen(WorkerScreen(item.name, item.program if isinstance(item, Worker) else item.name))

    def _workers(self, table: Table) -> list[Worker]:
        """The workers that a key is about: as they are now, else as they were seen."""
        now = {worker.name: worker for worker in self.host.snapshot.workers.value or ()}
        rows = ((row.id, now.get(row.id) or row.item) for row in table.target_rows())
        return [worker for _, worker in rows if isinstance(worker, Worker)]


class WorkerScreen(ArrangedScreen, ReadingScreen[str]):
    """A worker: facts, children and what each runs, the end of its program's log.

    Args:
        name: Node name, or the program's name for a program that is no worker.
        program: Its program; None for a worker started by hand.
    """

    view = "workers"
    source = "supervisor"

    DEFAULT_CSS = """
    WorkerScreen #facts { height: 7; }
    WorkerScreen #children { height: 7; }
    WorkerScreen #log { height: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(StartProgram)]

    def __init__(self, name: str, program: str | None) -> None:
        super().__init__()
        self.worker_name = name
        self.program = program

    def body(self) -> Iterable[Widget]:
        """Make facts, children and log."""
        yield Reader("Worker", id="facts")
        yield Table(
            worker_cells.CHILD_COLUMNS,
            worker_cells.child_cells,
            lambda child: str(child.pid),
            title="Children",
            empty="No children are known",
            arrangement=Arrangement(worker_cells.CHILD_COLUMNS),
            id="children",
        )
        yield Reader("Log", at_end=True, id="log")

    @property
    def path(self) -> str:
        """Name the worker."""
        return safe_text(self.worker_name, 60)

    def on_mount(self) -> None:
        """Give the keys to the children."""
        self.query_one("#children", Table).focus()

    @property
    def is_read(self) -> bool:
        """Whether it has a log that can be read."""
        return bool(self.program)

    def draw(self, now: datetime) -> None:
        """Show what is known."""
        worker = self._worker()
        troubles = self.host.troubles
        facts = _worker_facts(worker, now) if worker else self._program_facts()
        self.query_one("#facts", Reader).show(facts, stale=troubles.workers or troubles.programs)
        self.query_one("#children", Table).fill(worker.children if worker else ())
        log: list[Line] = [((" This worker was started by hand: its log is where it was started", "dim"),)]
        if self.is_read:
            lines = safe_lines(self.value or "")
            log = [((" ", "plain"), (line, "plain")) for line in lines]
        self.query_one("#log", Reader).show(log, stale=self.trouble(now))

    def read_selection(self) -> Any:
        """Return the worker or its program."""
        return self._worker() or self._program()

    def offer_program(self) -> None:
        """Ask what to do with its program."""
        ask_worker(self.host, self.worker_name, self.program, self._worker())

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        if event.item.run_id:
            self.host.open_run(event.item.run_id)

    def read(self) -> str:
        """Read the end of its log."""
        return self.host.sources.supervisor.log_tail(self.program or "", LOG_LINES)

    def _worker(self) -> Worker | None:
        workers = self.host.snapshot.workers.value or ()
        return next((worker for worker in workers if worker.name == self.worker_name), None)

    def _program(self) -> Program | None:
        programs = self.host.snapshot.programs.value or ()
        return next((program for program in programs if program.name == self.program), None)

    def _program_facts(self) -> list[Line]:
        program = self._program()
        if program is None:
            return [((f" Nothing is known of {safe_text(self.worker_name, 80)} now", "warn"),)]
        _, state, *_ = worker_cells.program_cells(program)
        return _rows(
            [
                ("state", state),
                ("says", worker_cells.words_of(program)),
                ("log", cells.text(program.log)),
            ]
        )


def ask_worker(host: Host, name: str, program: str | None, worker: Worker | None) -> None:
    """Ask what to do with a worker and its program."""
    orders = worker_choices(worker, _queue_names(host)) if worker else []
    programs = [row for row in host.snapshot.programs.value or () if row.name == program]
    about = [describe_worker(worker)] if worker else list(map(describe_program, programs))
    if program:
        host.ask(_named("Program", [program]), [*program_choices((program,)), *orders], about=about)
    elif orders:
        host.ask(_named("Worker", [name]), orders, about=about, default=False)
    else:
        host.tell("This worker was started by hand: no program to start or stop", severity="warning")


def _named(kind: str, names: Sequence[str]) -> str:
    return f"{kind} {', '.join(safe_text(name, 60) for name in names)}"


def _queue_names(host: Host) -> list[str]:
    return [queue.name for queue in host.snapshot.queues.value or ()]


def _worker_facts(worker: Worker, now: datetime) -> list[Line]:
    beat = None if worker.heartbeat_at is None else (now - worker.heartbeat_at).total_seconds()
    heartbeat = (
        "no heartbeat known" if beat is None else "heartbeat fresh" if beat < 15 else f"heartbeat {age(beat)} ago"
    )
    pool = f"{worker.pool or UNKNOWN}, {number(worker.concurrency)} children, pid {worker.pid or UNKNOWN}"
    work = f"{number(worker.active)} active, {number(worker.reserved)} held, {number(worker.processed)} done"
    cost = f"cpu {percent(worker.cpu_percent)}, {size(worker.rss_bytes)}, up {age(worker.uptime_s)}, {heartbeat}"
    return _rows(
        [
            ("verdict", (*worker_cells.verdict_cell(worker), (f"  {safe_text(worker.reason)}", "dim"))),
            ("queues", cells.text(", ".join(worker.queues) or "none")),
            ("program", cells.text(worker.program or "started by hand")),
            ("pool", cells.text(pool)),
            ("work", cells.text(work)),
            ("cost", cells.text(cost)),
        ]
    )


def _rows(rows: list[tuple[str, Line]]) -> list[Line]:
    return [((f" {name:<9}", "dim"), *value) for name, value in rows]


def _no_workers(sources: Sources) -> str:
    return "No worker answers" if sources.is_foreign else "No workers: start them with nexus-tui up"


def _no_programs(sources: Sources) -> str:
    if sources.is_foreign:
        return "No programs of ours: this is another application"
    if not sources.supervisor.is_used:
        return "No programs: supervisord runs none of this stack"
    return "No programs: Supervisor does not run, start it with nexus-tui up"
