"""Retry of ended runs: by id or by filter, all at once or with a canary."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

from celery_nexus.actions.base import Action, Plan
from celery_nexus.actions.declaration import Argument, Key, Option, Section
from celery_nexus.actions.typed import read_array, read_object
from celery_nexus.changes.targets import Target, name_runs, report_missing, resolve_all
from celery_nexus.errors import Invalid, NotFound, SourceError
from celery_nexus.rows.arguments import find_obstacle
from celery_nexus.rows.outcomes import MANY, Outcome, TargetOutcome
from celery_nexus.rows.runs import FINAL_STATES, Run
from celery_nexus.sources import Sources

CANARY = (1, 5, 25)
"""Sizes of the groups that must succeed before the rest is run."""

PATIENCE_S = 600.0
"""Longest wait for a canary; after it the rest is not run."""

MOST = 100_000
_LOOK_EVERY_S = 0.2


@dataclass(frozen=True)
class RunAgain(Action):
    """Run ended runs again, with the same arguments or with others, in their own queue.

    Attributes:
        kwargs: None keeps all as they were.
        args: None keeps them as they were.
        rate_per_s: None: no limit.
        queue: None: where the old ones came from.
        priority: None: that of the old ones.
    """

    label: ClassVar[str] = "Run again"
    command_name: ClassVar[str] = "retry"
    section: ClassVar[Section] = Section.MESSAGES
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument("run_ids", "[ID]…", "A run's id, or its unique beginning.", is_required=False, is_many=True),
        Option("--filter", "filter_text", "Every ended run that matches, not ids.", "TEXT", default=""),
        Option("--kwargs", "kwargs", "Keyword arguments that replace those of the same name.", "JSON"),
        Option("--args", "args", "Positional arguments that replace all of them.", "JSON"),
        Option("--canary", "canary", "First 1, then 5, then 25; the rest only when none of them failed."),
        Option("--rate", "rate_per_s", "At most N runs a second.", "N", type=float),
        Option("--queue", "queue", "Where the new runs go, when it is not known where the old ones came from.", "Q"),
        Option("--priority", "priority", "Their priority, when that is not known.", "N", type=int),
    )
    key: ClassVar[Key | None] = Key("R", "run_again", "run again")
    choice_key: ClassVar[str] = "a"

    run_ids: tuple[str, ...]
    kwargs: dict[str, Any] | None = None
    filter_text: str = ""
    canary: bool = False
    rate_per_s: float | None = None
    args: list[Any] | None = None
    queue: str | None = None
    priority: int | None = None

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Take ids or a filter, and read the arguments."""
        if bool(given["run_ids"]) == bool(given["filter_text"]):
            raise Invalid("give one or more ids, or --filter TEXT")
        kwargs, args = given["kwargs"], given["args"]
        read: dict[str, Any] = {
            "kwargs": None if kwargs is None else read_object(kwargs, "--kwargs"),
            "args": None if args is None else read_array(args, "--args"),
        }
        return cls(**{**given, **read})

    @property
    def question(self) -> str:
        """Name the runs and their arguments."""
        is_same = self.kwargs is None and self.args is None
        how = "the same arguments" if is_same else f"other {', '.join(self.kwargs or ()) or 'arguments'}"
        place = f" in {self.queue}" if self.queue else ""
        place += "" if self.priority is None else f" at priority {self.priority}"
        what = name_runs(self.run_ids) if self.run_ids else f"every ended run that matches {self.filter_text}"
        steps = " First 1, then 5, then 25 of them, and the rest only while none fails." if self.canary else ""
        return f"Run {what} again{place} with {how}? New runs are queued; the old ones stay in the history.{steps}"

    def value_of(self, parameter: str) -> Any:
        """Return what the command says for a parameter; with a filter no ids, also when they are known already."""
        return None if parameter == "run_ids" and self.filter_text else super().value_of(parameter)

    @property
    def recorded(self) -> str:
        """The command, with the first ids only, and the names of the arguments without their values."""
        kept = None if self.kwargs is None else dict.fromkeys(self.kwargs, "…")
        args = None if self.args is None else ["…" for _ in self.args]
        return replace(self, run_ids=self.run_ids[:MANY], kwargs=kept, args=args).command

    def plan(self, sources: Sources) -> Plan:
        """Freeze which runs are meant, and say what would become of each."""
        whole = self._frozen(sources)
        targets = resolve_all(sources, whole.run_ids)
        ids = tuple(target.id if target else text for text, target in targets)
        rows = tuple(self._prospect(sources, text, target) for text, target in targets)
        return Plan(replace(whole, run_ids=ids), lambda: rows, len(rows))

    def run(self, sources: Sources) -> Outcome:
        """Queue a new run for each, group by group."""
        targets = resolve_all(sources, self._frozen(sources).run_ids)
        sources.steps.begin(len(targets))
        rows: list[TargetOutcome] = []
        started: list[str] = []
        for group in _groups(targets) if self.canary else [targets]:
            if problem := self._problem(sources, started):
                rows += [TargetOutcome(target.id if target else text, False, problem) for text, target in group]
                continue
            for text, target in group:
                row, run_id = self._once(sources, text, target, anything=bool(started))
                rows.append(row)
                sources.steps.add(row)
                started += [run_id] if run_id else []
        return Outcome(tuple(rows))

    def _frozen(self, sources: Sources) -> RunAgain:
        if self.rate_per_s is not None and self.rate_per_s <= 0:
            raise Invalid(f"rate {self.rate_per_s:g}: give a number of runs a second above 0")
        if not self.filter_text or self.run_ids:
            return self
        runs = sources.history.runs(self.filter_text, limit=MOST)
        return replace(self, run_ids=tuple(run.id for run in runs if run.is_final))

    def _once(
        self, sources: Sources, text: str, target: Target | None, *, anything: bool
    ) -> tuple[TargetOutcome, str | None]:
        try:
            outcome, run_id = self._again(sources, text, target)
        except SourceError as error:
            if not anything:
                raise
            return TargetOutcome(target.id if target else text, False, f"not done: {error}"), None
        if run_id and self.rate_per_s:
            sources.steps.wait(1 / self.rate_per_s)
        return outcome, run_id

    def _again(self, sources: Sources, text: str, target: Target | None) -> tuple[TargetOutcome, str | None]:
        if sources.steps.is_stopped:
            return TargetOutcome(target.id if target else text, False, _tell_stopped(sources)), None
        prospect = self._prospect(sources, text, target)
        if not prospect.done or target is None or target.run is None:
            return prospect, None
        run = target.run
        submitted = sources.catalog.submit(
            run.task or "",
            cast("list[Any]", run.args if self.args is None else self.args),
            self._kwargs(run),
            priority=run.priority if self.priority is None else self.priority,
            queue=self.queue or run.queue,
            lineage=(run.root_id or run.id, run.id),
        )
        return TargetOutcome(run.id, True, f"runs again as {submitted.id} in {submitted.queue}"), submitted.id

    def _kwargs(self, run: Run) -> dict[str, Any]:
        return {**cast("dict[str, Any]", run.kwargs), **(self.kwargs or {})}

    def _prospect(self, sources: Sources, text: str, target: Target | None) -> TargetOutcome:
        run = target.run if target else None
        if target is None or run is None:
            return report_missing(target.id if target else text)
        if obstacle := find_obstacle(run, self.args, self.kwargs):
            return TargetOutcome(run.id, False, obstacle)
        if lacking := self._unknown_place(sources, run):
            return TargetOutcome(run.id, False, lacking)
        return TargetOutcome(run.id, True, f"{run.state} → runs again in {self.queue or run.queue or 'its queue'}")

    def _unknown_place(self, sources: Sources, run: Run) -> str:
        """Say what has to be given, since nobody knows where a run came from; empty when nothing has."""
        known = run.queue or self.queue or ("" if sources.is_foreign else sources.catalog.queue_of(run.task or ""))
        is_open = run.priority is None and self.priority is None and sources.catalog.uses_priorities()
        match (not known, is_open):
            case (True, True):
                return "which queue and priority it had is not known: give --queue and --priority"
            case (True, False):
                return "which queue it came from is not known: give --queue"
            case (False, True):
                return "which priority it had is not known: give --priority"
            case _:
                return ""

    def _problem(self, sources: Sources, started: Sequence[str]) -> str:
        """Wait for the groups before; say why the next is not run, or nothing."""
        if not self.canary or not started:
            return ""
        until = time.monotonic() + PATIENCE_S
        while True:
            states = {run_id: _state(sources, run_id) for run_id in started}
            failed = [run_id for run_id, state in states.items() if state in ("FAILURE", "REVOKED")]
            if failed:
                return f"not run: {failed[0]} of the canary ended as {states[failed[0]]}"
            running = [run_id for run_id, state in states.items() if state not in FINAL_STATES]
            if not running:
                sources.steps.note = ""
                return ""
            ended = len(started) - len(running)
            sources.steps.note = f"waits for the canary: {ended} of {len(started)} ended well"
            if sources.steps.wait(_LOOK_EVERY_S):
                return _tell_stopped(sources)
            if time.monotonic() > until:
                return f"not run: {running[0]} of the canary had not ended after {PATIENCE_S:g} s"


def _groups(targets: list[tuple[str, Target | None]]) -> Iterator[list[tuple[str, Target | None]]]:
    start = 0
    for size in CANARY:
        if start < len(targets):
            yield targets[start : start + size]
        start += size
    if start < len(targets):
        yield targets[start:]


def _tell_stopped(sources: Sources) -> str:
    return f"not run: {sources.steps.why} before its turn came"


def _state(sources: Sources, run_id: str) -> str:
    state = sources.control.result_state(run_id)
    if state is not None:
        return state
    try:
        return sources.history.run(run_id).state
    except NotFound:
        return "PENDING"
