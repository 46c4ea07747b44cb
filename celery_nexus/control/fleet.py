"""Join of workers with the Supervisor programs that run them, and their verdicts."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from celery_nexus.queues import NO_QUEUES, QueueRegistry
from celery_nexus.rows.workers import Program, Worker

GROUP = "workers:"
STARTS_WITHIN_S = 20.0
"""A program that runs for longer without a node that answers is not starting any more."""


def is_alive(worker: Worker) -> bool:
    """Tell whether a worker's process may live; False for one of this machine that is gone, whatever it last said."""
    if worker.pid is None or worker.name.partition("@")[2] != socket.gethostname():
        return True
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def join(
    workers: Sequence[Worker],
    programs: Sequence[Program],
    now: datetime,
    lives: Callable[[Worker], bool] = is_alive,
    queues: QueueRegistry = NO_QUEUES,
) -> tuple[Worker, ...]:
    """Give each worker its program, and each worker program without a node a row of its own.

    Args:
        workers: As :meth:`ControlSource.workers` tells them.
        programs: As Supervisor tells them; those that run no worker are ignored.
        now: When both were read (aware).
        lives: Whether a worker's process may live; what one that is gone said last doesn't count.
        queues: What the application declared: which program runs the worker of which queue.
    """
    mine = [program for program in programs if program.name.startswith(GROUP)]
    if mine:  # else the workers may be in containers, whose processes have other numbers
        workers = [worker if lives(worker) else _without_process(worker) for worker in workers]
    nodes = {spec.program: spec.family for spec in queues}
    matched = _match(workers, mine, nodes)
    by_program = {program.name: worker for worker, program in matched if program is not None}
    rows = [_joined(worker, program, now) for worker, program in matched]
    rows += [_without_node(program, _node(program, nodes)) for program in mine if program.name not in by_program]
    order = {program.name: place for place, program in enumerate(mine)}
    return tuple(sorted(rows, key=lambda row: (order.get(row.program or "", len(order)), row.name)))


def _match(
    workers: Sequence[Worker], programs: Sequence[Program], nodes: Mapping[str, str]
) -> list[tuple[Worker, Program | None]]:
    by_pid = {program.pid: program for program in programs if program.pid}
    taken: dict[str, str] = {}
    for worker in workers:
        program = by_pid.get(worker.pid) if worker.pid else None
        if program is not None:
            taken[program.name] = worker.name
    matched: list[tuple[Worker, Program | None]] = []
    for worker in workers:
        program = by_pid.get(worker.pid) if worker.pid else None
        if program is None:
            program = _by_name(worker, programs, taken, nodes)
        if program is not None:
            taken[program.name] = worker.name
        matched.append((worker, program))
    return matched


def _by_name(
    worker: Worker, programs: Sequence[Program], taken: Mapping[str, str], nodes: Mapping[str, str]
) -> Program | None:
    """A worker that tells no pid, or the one of its last life: its node name is its program's."""
    node = worker.name.partition("@")[0]
    for program in programs:
        # A worker that answers with another pid than its program's was started by hand under the same name.
        is_other = worker.verdict != "silent" and worker.pid is not None and program.pid is not None
        if _node(program, nodes) == node and program.name not in taken and not is_other:
            return program
    return None


def _node(program: Program, nodes: Mapping[str, str]) -> str:
    return nodes.get(program.name, program.name.removeprefix(GROUP))


def _joined(worker: Worker, program: Program | None, now: datetime) -> Worker:
    if program is None:
        return worker
    verdict = _of_program(program)
    if verdict is None and worker.verdict == "silent" and (program.uptime_s or 0.0) < STARTS_WITHIN_S:
        verdict = ("starting", f"{program.name} runs for {program.uptime_s or 0.0:.0f} s and does not answer yet")
    if verdict is None:
        return replace(worker, program=program.name)
    return replace(worker, program=program.name, verdict=verdict[0], reason=verdict[1], pid=program.pid)


def _without_process(worker: Worker) -> Worker:
    """Of a worker that was killed its name is left: its successor, if there is one, answers under the same."""
    return Worker(worker.name, "silent", f"its process {worker.pid} is gone", queues=worker.queues)


def _without_node(program: Program, node: str) -> Worker:
    verdict = _of_program(program)
    if verdict is None:
        uptime_s = program.uptime_s or 0.0
        verdict = (
            ("starting", f"{program.name} runs for {uptime_s:.0f} s and does not answer yet")
            if uptime_s < STARTS_WITHIN_S
            else ("silent", f"{program.name} runs for {uptime_s:,.0f} s, but no worker answers")
        )
    return Worker(
        name=f"{node}@?",
        verdict=verdict[0],
        reason=verdict[1],
        program=program.name,
        uptime_s=program.uptime_s,
        pid=program.pid,
    )


def _of_program(program: Program) -> tuple[str, str] | None:
    """Conclude from Supervisor's word alone; None for a program that runs."""
    told = program.summary
    if program.is_looping and program.state not in ("STOPPED", "STOPPING"):
        return "crash-looping", told
    if program.state == "STARTING":
        return "starting", told
    if program.state in ("STOPPED", "STOPPING", "EXITED"):
        return "stopped", told
    if program.state != "RUNNING":
        return "silent", told
    return None
