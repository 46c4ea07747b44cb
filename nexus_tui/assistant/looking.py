"""Tools that only look, on the same reading as the command line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from celery_nexus.client import Nexus
from celery_nexus.errors import NotFound
from celery_nexus.rows.text import number
from nexus_tui.assistant.answers import answer_one, answer_page
from nexus_tui.assistant.tool import MAX_NAME, Page, Parameters, Tool
from nexus_tui.documents import as_json, describe_failures, describe_message, describe_queue, describe_stats

MAX_FILTER = 2_000
FILTER_HELP = (
    "Words that all have to match, for example: state:failure queue:ai task:*pdf* runtime:>30s age:<1h "
    "worker:email@host error:*Timeout* arg.user_id:42. Empty: all."
)


class Matching(Page):
    """A page of what has a word in its name."""

    match: str = Field("", max_length=MAX_NAME, description="Only what has this in its name; empty: all.")

    def is_in(self, name: str) -> bool:
        """Tell whether a name matches."""
        return self.match.lower() in name.lower()


class OfQueue(Page):
    """A page of a queue's messages."""

    queue: str = Field(max_length=MAX_NAME, description="The queue's full name, as queues lists it.")


class Filtered(Page):
    """A page of recorded runs."""

    filter: str = Field("", max_length=MAX_FILTER, description=FILTER_HELP)


class Named(Parameters):
    """One thing."""

    name: str = Field(max_length=MAX_NAME, description="A run's id, a queue or a worker.")


class RunNamed(Parameters):
    """One run."""

    id: str = Field(max_length=MAX_NAME, description="The run's id, or a unique beginning of it.")


class Recent(Parameters):
    """A time that ends now."""

    hours: float = Field(24.0, gt=0, le=24 * 366, description="How many hours back.")

    def since(self) -> datetime:
        """Return when it begins."""
        return datetime.now(UTC) - timedelta(hours=self.hours)


class Failures(Recent):
    """Groups of failures."""

    filter: str = Field("", max_length=MAX_FILTER, description=FILTER_HELP)
    limit: int = Field(20, ge=1, le=200, description="Groups at most.")


class Stats(Recent):
    """Counts and times."""

    by: Literal["task", "queue", "both"] = Field("task", description="What a row is about.")
    match: str = Field("", max_length=MAX_NAME, description="Only tasks or queues with this in their name.")
    limit: int = Field(50, ge=1, le=200, description="Rows at most.")


class Letters(Parameters):
    """Dead letters."""

    id: str = Field("", max_length=MAX_NAME, description="One of them, by its id or its run's, with its message.")
    limit: int = Field(20, ge=1, le=200, description="Dead letters at most.")


class Scheduled(Parameters):
    """Entries of the schedule."""

    entry: str = Field("", max_length=MAX_NAME, description="One entry, by its full name; empty: all, by due time.")
    limit: int = Field(20, ge=1, le=200, description="Entries at most.")


class Entries(Parameters):
    """The latest entries."""

    limit: int = Field(20, ge=1, le=200, description="Entries at most.")


def _list_queues(nexus: Nexus, given: Matching) -> dict[str, Any]:
    rows = [row for row in nexus.queues() if given.is_in(row.name)]
    rows.sort(key=lambda row: (not row.flag, -row.waiting, row.name))
    total = f"{_count(rows, 'queue')}, what is in trouble first, then the longest"
    missing = nexus.sources.broker.missing
    note = f"{total}; not everything is known: {missing}" if missing else total
    page = [describe_queue(row) for row in rows[given.offset :]]
    return answer_page(page, limit=given.limit, offset=given.offset, note=note)


def _list_messages(nexus: Nexus, given: OfQueue) -> dict[str, Any]:
    nexus.sources.broker.check_queue(given.queue)
    rows = [describe_message(row) for row in nexus.messages(given.queue, given.limit + 1, given.offset)]
    return answer_page(rows, limit=given.limit, offset=given.offset, note="in the order in which they will run")


def _list_workers(nexus: Nexus, given: Matching) -> dict[str, Any]:
    rows = [row for row in nexus.workers() if given.is_in(row.name)]
    documents = [as_json(row) for row in rows[given.offset :]]
    if len(rows) > 1:
        for document in documents:
            document.pop("children", None)
    note = f"{_count(rows, 'worker')}; children of the pool are told of one alone" if rows else "no worker answers"
    return answer_page(documents, limit=given.limit, offset=given.offset, note=note)


def _list_runs(nexus: Nexus, given: Filtered) -> dict[str, Any]:
    page = nexus.page(given.filter, given.limit + 1, given.offset)
    looked = f", looked at back to {page.looked_to.isoformat()}" if page.looked_to else ""
    note = f"{page.total_words} match{looked}; newest first; {_describe_history(nexus)}"
    rows = [_without_traceback(row) for row in page.runs]
    return answer_page(rows, limit=given.limit, offset=given.offset, note=note)


def _without_traceback(row: Any) -> dict[str, Any]:
    return {name: value for name, value in as_json(row).items() if name != "traceback" and value is not None}


def _show_run(nexus: Nexus, given: RunNamed) -> dict[str, Any]:
    run = nexus.run(given.id)
    life = [{"at": row.at, "event": row.event, "detail": row.detail} for row in nexus.life(run.id)]
    return answer_one({**as_json(run), "life": life})


def _list_failures(nexus: Nexus, given: Failures) -> dict[str, Any]:
    rows = [describe_failures(row) for row in nexus.failures(given.since(), given.filter)]
    for row in rows:
        row.pop("per_slice")
    note = f"of the last {given.hours:g} h, the largest group first; {_describe_history(nexus)}"
    return answer_page(rows, limit=given.limit, can_go_on=False, note=note)


def _count_runs(nexus: Nexus, given: Stats) -> dict[str, Any]:
    found = nexus.stats(given.since(), by_task=given.by != "queue", by_queue=given.by != "task")
    rows = [describe_stats(row) for row in found if given.match.lower() in f"{row.task} {row.queue}".lower()]
    note = f"of the last {given.hours:g} h; times in seconds within 2 %; {_describe_history(nexus)}"
    return answer_page(rows, limit=given.limit, can_go_on=False, note=note)


def _explain(nexus: Nexus, given: Named) -> dict[str, Any]:
    return answer_one(nexus.why(given.name), note="the heaviest cause first, each with the command that would free it")


def _check(nexus: Nexus, _: Parameters) -> dict[str, Any]:
    return answer_page(nexus.doctor(), limit=200, can_go_on=False)


def _show_dead_letters(nexus: Nexus, given: Letters) -> dict[str, Any]:
    if given.id:
        return answer_one(nexus.dead_letter(given.id))
    rows = [
        {name: value for name, value in as_json(row).items() if name not in ("shown", "is_masked")}
        for row in nexus.dead_letters(given.limit + 1)
    ]
    return answer_page(rows, limit=given.limit, can_go_on=False, note="the newest first")


def _show_schedule(nexus: Nexus, given: Scheduled) -> dict[str, Any]:
    if given.entry:
        return answer_one(nexus.sources.schedule.entry(given.entry))
    found = nexus.schedule(given.limit + 1)
    facts = [f"{number(found.total)} in all, what is due first; times are UTC", *map(str, found.problems)]
    return answer_page(found.entries, limit=given.limit, can_go_on=False, note="; ".join(facts))


def _list_alerts(nexus: Nexus, _: Parameters) -> dict[str, Any]:
    report = nexus.alerts()
    looked = "nobody ever looked" if report.looked_at is None else f"last look at {report.looked_at.isoformat()}"
    watched = "somebody watches" if report.is_watched else "nobody watches now"
    note = f"{watched}, {looked}; what is raised first"
    return answer_page(report.rules, limit=200, can_go_on=False, note=note)


def _list_changes(nexus: Nexus, given: Entries) -> dict[str, Any]:
    rows = nexus.audit(given.limit + 1)
    return answer_page(rows, limit=given.limit, can_go_on=False, note="what operators changed, the latest first")


def _list_task_types(nexus: Nexus, given: Matching) -> dict[str, Any]:
    rows = [row for row in nexus.tasks() if given.is_in(row.name)]
    if not rows and given.match:
        raise NotFound(f"no task with {given.match!r} in its name; leave match out to list all")
    return answer_page(rows[given.offset :], limit=given.limit, offset=given.offset)


def _count(rows: Sequence[object], what: str) -> str:
    return f"{number(len(rows))} {what}{'' if len(rows) == 1 else 's'}"


def _describe_history(nexus: Nexus) -> str:
    """Say what the history can know."""
    sources = nexus.sources
    until = sources.history.complete_at()
    complete = "nothing was recorded yet" if until is None else f"recorded until {until.isoformat(timespec='seconds')}"
    if sources.recording is None:
        return complete
    silent = sources.recording.silent
    deaf = f"; workers that send no events, so that their runs are missing: {', '.join(silent)}" if silent else ""
    return f"{complete}, and only while somebody looked (this server records from its first call on){deaf}"


LOOKING = (
    Tool("queues", "List queues: what waits by priority, in flight, delayed, age of the oldest, rates, consumers, "
         "and flag: what is wrong.", Matching, _list_queues),
    Tool("messages", "Read the messages that wait in one queue, in the order in which they will run.", OfQueue,
         _list_messages),
    Tool("workers", "List workers: verdict (healthy, busy, silent …) with the fact that proves it, queues, pool, "
         "active, memory.", Matching, _list_workers),
    Tool("tasks", "Search recorded runs of tasks by a filter: state, task, queue, worker, arguments, error, times.",
         Filtered, _list_runs),
    Tool("task", "Show one run: its times, arguments, result or error with traceback, and its life step by step.",
         RunNamed, _show_run),
    Tool("failures", "Group failed runs by type and place of their exception, with an example id each.", Failures,
         _list_failures),
    Tool("stats", "Count what became of runs, and how long they waited and ran (p50, p95, p99), by task or queue.",
         Stats, _count_runs),
    Tool("why", "Explain why a run, queue or worker does not move. Call it first when something stands still.", Named,
         _explain),
    Tool("doctor", "Look for what is wrong with broker, queues, workers and recorder. Call it first when it is not "
         "known what is wrong.", Parameters, _check),
    Tool("schedule", "List what beat sends by the clock, or show one entry: due, late, last outcomes, missed runs.",
         Scheduled, _show_schedule),
    Tool("alerts", "List alert rules with their state: ok, pending, raised or silenced, and what each found.",
         Parameters, _list_alerts),
    Tool("dead_letters", "List messages that were set aside for a person, or show one.", Letters, _show_dead_letters),
    Tool("audit", "List what operators changed, when, and through which program.", Entries, _list_changes),
    Tool("task_types", "List the tasks that can be submitted, with their queue and arguments as far as known.",
         Matching, _list_task_types),
)  # fmt: skip
"""In the order in which they are listed."""
