"""Answer to ``why``: the facts about a run, queue or worker, looked up in the table of causes."""

from __future__ import annotations

from dataclasses import replace

from celery_nexus.diagnosis.verdicts.judge import find_of_workers, judge_workers
from celery_nexus.diagnosis.verdicts.near_names import find_near_name
from celery_nexus.diagnosis.watch import observe
from celery_nexus.diagnosis.why import causes
from celery_nexus.diagnosis.why.situation import Situation, of_message, of_run
from celery_nexus.errors import NotFound, Refused
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.diagnosis.why import Answer, Obstacle
from celery_nexus.rows.text import command_line, duration
from celery_nexus.rows.workers import Worker
from celery_nexus.sources import Sources


def why(sources: Sources, name: str) -> Answer:
    """Explain a run (by its id or a unique beginning), a queue or a worker. Blocks for up to some seconds.

    Raises:
        NotFound: Nobody knows it.
        Invalid: Several runs begin so.
    """
    try:
        answer = _explained(sources, name)
    except Refused as refused:
        answer = _of_refusal(sources, name, str(refused))
    findings = (replace(found, command=sources.address_command(found.command)) for found in answer.findings)
    return replace(answer, findings=tuple(findings))


def _explained(sources: Sources, name: str) -> Answer:
    looks = observe(sources)
    if looks.now.problem is not None:
        raise looks.now.problem
    workers, queues = judge_workers(looks), looks.now.queues
    for queue in queues:
        if queue.name == name:
            return _of_queue(sources, queue, workers, [row.name for row in queues if row.consumers])
    for worker in workers:
        if name in (worker.name, worker.program, worker.name.partition("@")[0]):
            return Answer(
                worker.name,
                "worker",
                f"{worker.verdict}: {worker.reason}",
                causes.find_worker_causes(worker, queues, sources.code.queues, find_of_workers(looks)),
            )
    return _of_run(sources, name, workers, queues)


def _of_refusal(sources: Sources, name: str, refusal: str) -> Answer:
    """Explain a queue or run while the broker takes no commands, so that no worker can be asked."""
    found = (Obstacle("broker refuses", refusal, "nexus-tui doctor"),)
    for queue in sources.broker.queues():
        if queue.name == name:
            paused = (Obstacle("paused", f"{name} is paused", command_line("resume", name)),) if queue.paused else ()
            return Answer(name, "queue", f"{queue.waiting:,} wait", (*found, *paused))
    message = sources.broker.find(name)
    place = f"waits in {message.queue}, priority {message.priority}" if message else "no message of it waits"
    return Answer(name, "run", place, found)


def _of_queue(sources: Sources, queue: QueueStats, workers: tuple[Worker, ...], consumed: list[str]) -> Answer:
    oldest = "" if queue.oldest_age_s is None else f", the oldest for {duration(queue.oldest_age_s)}"
    state = f"{queue.waiting:,} wait{oldest}; {'?' if queue.in_flight is None else queue.in_flight} in flight"
    first = sources.broker.messages(queue.name, limit=1)
    situation = of_message(sources, queue, first, workers)
    near = find_near_name(queue.name, consumed) if queue.name not in sources.code.queues.names else ""
    return Answer(queue.name, "queue", state, causes.find_causes(replace(situation, near=near)))


def _of_run(sources: Sources, name: str, workers: tuple[Worker, ...], queues: tuple[QueueStats, ...]) -> Answer:
    situation = of_run(sources, name, workers, queues)
    if situation is None:
        raise NotFound(f"no run, queue or worker {name!r}")
    return Answer(situation.subject, "run", _state(situation), causes.find_causes(situation))


def _state(situation: Situation) -> str:
    message, run, held = situation.message, situation.run, situation.held
    if message is not None:
        place = "before its time" if message.is_delayed else f"at place {message.position:,} of its run order"
        return f"waits in {message.queue}, priority {message.priority}, {place}"
    if situation.whereabouts is not None:
        kind, worker = situation.whereabouts
        words = {"active": "runs on", "reserved": "fetched by", "scheduled": "held until its time by"}
        return f"{words[kind]} {worker}"
    if run is not None and run.is_final:
        return f"ended: {run.state}" + (f", {run.error}" if run.error else "")
    if held is not None:
        return f"taken from {held.queue} by {held.worker or 'a worker that does not say so'}"
    return f"{run.state if run else 'unknown'}: no message of it is in the broker"
