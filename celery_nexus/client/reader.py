"""Reading half of the public Python interface: what dashboard and command line show."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery_nexus.rows.alerts import AlertReport
    from celery_nexus.rows.audit import AuditEntry
    from celery_nexus.rows.broker import Message, QueueStats
    from celery_nexus.rows.catalog import TaskType
    from celery_nexus.rows.dead_letters import DeadLetter
    from celery_nexus.rows.diagnosis.findings import Finding
    from celery_nexus.rows.diagnosis.why import Answer
    from celery_nexus.rows.history import ErrorGroup, TaskStats
    from celery_nexus.rows.marks import Mark
    from celery_nexus.rows.runs import LifeEvent, Run, RunPage
    from celery_nexus.rows.schedule import Schedule
    from celery_nexus.rows.workers import Worker
    from celery_nexus.rows.workflows import Workflow
    from celery_nexus.sources import Sources


class NexusReader:
    """What :class:`celery_nexus.client.Nexus` shows.

    Attributes:
        sources: Where everything is read.
    """

    sources: Sources

    def queues(self) -> tuple[QueueStats, ...]:
        """List the queues: what waits, by priority, what is in flight, the oldest's age, who consumes.

        >>> [(queue.name, queue.waiting) for queue in nexus.queues()]
        [('celery', 0)]
        """
        from celery_nexus.alerts.levels import ServiceLevels
        from celery_nexus.diagnosis.watch import read_queues

        return ServiceLevels(self.sources).attach(read_queues(self.sources))

    def messages(self, queue: str, limit: int = 50, offset: int = 0) -> list[Message]:
        """Read what waits in a queue in the order in which it will run; secrets of arguments are masked.

        >>> run = nexus.submit("shop.add", [1, 2])
        >>> [(message.task, message.args) for message in nexus.messages("celery")]
        [('shop.add', [1, 2])]
        """
        return self.sources.broker.messages(queue, limit, offset)

    def message(self, run_id: str) -> Message | None:
        """Find the message of a run; None when a worker took it, or there is none.

        >>> nexus.message(run.id).position
        0
        """
        return self.sources.broker.find(run_id)

    def workers(self) -> tuple[Worker, ...]:
        """List the workers with their verdicts; one that does not answer is ``silent``, unknown figures are None.

        >>> nexus.workers()
        ()
        """
        from celery_nexus.diagnosis.watch import read_workers

        return read_workers(self.sources)

    def tasks(self) -> tuple[TaskType, ...]:
        """List what can be submitted, with queue, limits and arguments as far as the application's code is here.

        >>> known = {task.name: task for task in nexus.tasks()}
        >>> [(argument.name, argument.type_label) for argument in known["shop.add"].parameters]
        [('one', 'whole number'), ('other', 'whole number')]
        """
        return self.sources.catalog.task_types()

    def runs(self, filter_text: str = "", limit: int = 200, offset: int = 0) -> list[Run]:
        """Return recorded runs that match a filter of the tasks view (``state:failure task:shop.*``), newest first.

        Runs of a stock application are recorded while a dashboard looks; of an installed one always.

        >>> nexus.runs("state:failure", limit=10)
        []
        """
        return self.sources.history.runs(filter_text, limit, offset)

    def run(self, run_id: str) -> Run:
        """Return a run by its id or a unique beginning: recorded, else as it waits or as a worker holds it.

        Raises ``NotFound`` when nobody knows it.

        >>> nexus.run("0123")
        Traceback (most recent call last):
        celery_nexus.errors.NotFound: no run '0123' in the history
        """
        from celery_nexus.changes.targets import find_run

        return find_run(self.sources, run_id)

    def page(self, filter_text: str = "", limit: int = 50, offset: int = 0, budget_s: float = 3.0) -> RunPage:
        """Return recorded runs that match a filter, and how many there are, as far as some time allows.

        >>> nexus.page("state:failure").total_words
        '0'
        """
        return self.sources.history.page(filter_text, limit, offset, budget_s)

    def life(self, run_id: str) -> list[LifeEvent]:
        """Return what happened to a recorded run, by its full id, in order of time.

        >>> [event.event for event in nexus.life(run.id)]
        []
        """
        return self.sources.history.life(run_id)

    def workflow(self, run_id: str) -> Workflow:
        """Read the workflow of a run, by its id or a unique beginning, as a tree; raises ``NotFound`` as :meth:`run`.

        Lines of a chain follow each other, what a group or chord holds is below it; what will never run says why.

        >>> [(node.kind, node.task, node.state) for _, node in nexus.workflow(run.id).walk()]
        [('run', 'shop.add', 'PENDING')]
        """
        from celery_nexus.workflows.source import read_workflow

        return read_workflow(self.sources, run_id)

    def failures(self, since: datetime | None = None, filter_text: str = "") -> list[ErrorGroup]:
        """Group failed runs by type and place of their exception, the largest group first; None: of the last day.

        >>> nexus.failures()
        []
        """
        return self.sources.history.failures(None if since is None else since.timestamp(), filter_text)

    def stats(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        by_task: bool = True,
        by_queue: bool = False,
    ) -> list[TaskStats]:
        """Count what became of runs and how long they waited and ran, by task, queue or both; None: of the last day.

        >>> nexus.stats(by_queue=True)
        []
        """
        begin, end = (None if moment is None else moment.timestamp() for moment in (since, until))
        return self.sources.history.stats(begin, by_queue, end, by_task)

    def audit(self, limit: int = 100) -> tuple[AuditEntry, ...]:
        """List what operators changed, the latest first.

        >>> [entry.action for entry in nexus.audit(1)]
        ['Submit']
        """
        return self.sources.broker.audit.read(limit)

    def marks(self, since: datetime | None = None) -> list[Mark]:
        """List the moments that were marked, oldest first; all of them without a time.

        >>> [mark.label for mark in nexus.marks()]
        []
        """
        return self.sources.history.marks(0.0 if since is None else since.timestamp())

    def alerts(self) -> AlertReport:
        """Read alert rules with their state, as of the last look of who watches; nothing is looked at here.

        >>> [rule.state for rule in nexus.alerts().rules if rule.name == "depth"]
        ['ok']
        """
        from celery_nexus.alerts.source import AlertSource

        return AlertSource.open(self.sources).read()

    def dead_letters(self, limit: int = 100) -> tuple[DeadLetter, ...]:
        """List messages that reliable delivery set aside, the newest first.

        >>> nexus.dead_letters()
        ()
        """
        return self.sources.dead_letters.list(limit)

    def dead_letter(self, letter_id: str) -> DeadLetter:
        """Return a dead letter with its message, secrets masked, by its id or its run's; raises ``NotFound``.

        >>> nexus.dead_letter("0123")
        Traceback (most recent call last):
        celery_nexus.errors.NotFound: no dead letter '0123'; see: nexus-tui dead-letters
        """
        return self.sources.dead_letters.show(letter_id)

    def schedule(self, limit: int = 100) -> Schedule:
        """Read what beat sends by the clock, what is due first: ``beat_schedule``, RedBeat or django-celery-beat.

        >>> [(entry.name, entry.task, entry.spec) for entry in nexus.schedule().entries]
        [('add up', 'shop.add', 'every minute')]
        """
        return self.sources.schedule.read(limit)

    def why(self, name: str) -> Answer:
        """Explain why a run (by its id), a queue or a worker does not move, the heaviest cause first.

        >>> [finding.cause for finding in nexus.why("celery").findings]
        ['no consumer']
        """
        from celery_nexus.diagnosis.why import why

        return why(self.sources, name)

    def doctor(self) -> tuple[Finding, ...]:
        """Examine workers, queues, broker and, of an installed application, its stack; the worst finding comes first.

        >>> [finding.severity for finding in nexus.doctor() if finding.kind == "eviction"]
        ['well']
        """
        from celery_nexus.diagnosis.doctor import examine

        return examine(self.sources)
