"""Faults of messages: malformed ones, long ones, delayed ones, and operators who move them under load."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from benchmarks.faults.malformed import CONTROL, MALFORMED, message
from benchmarks.faults.seen import LONG, SEED, Scale, Seen, seen
from benchmarks.faults.stack import Stack, wait_until
from benchmarks.faults.tasks import OTHER_QUEUE, QUEUE
from celery_nexus.queues import priority_key
from celery_nexus.rows.outcomes import TargetOutcome

_PIDBOX = "/0.celery.pidbox"


def malformed(delivery: str, scale: Scale) -> Seen:
    """Push every kind of malformed message between good ones, and garbage into the control channel."""
    stack = Stack(delivery, workers=1)
    try:
        stack.wait_ready()
        pid = stack.workers["w0"].pid
        good = max(scale.runs // 10, 2 * len(MALFORMED))
        kinds = list(MALFORMED.values())
        for number in range(good):
            run = json.dumps(message("faults.work", (f"r{number}",)))
            bad = kinds[number : number + 1]
            stack.client.lpush(priority_key(QUEUE, 5), *bad, run)
        for raw in CONTROL.values():
            stack.client.publish(_PIDBOX, raw)
        stack.wait_done(good, scale.settle_s)
        wait_until(lambda: stack.held() == 0, 5)
        dead = int(stack.client.zcard("nexus:dead"))
        same = stack.workers["w0"].pid == pid
        kept = "the same worker pid" if same else f"{len(stack.exits)} worker deaths"
        note = f"{dead} dead letters of {len(kinds)} kinds, {len(CONTROL)} bad control messages, {kept}"
        return seen(stack, good, None, note, also=same and dead == len(kinds))
    finally:
        stack.close()


def visibility(delivery: str, scale: Scale) -> Seen:
    """Run for twice, and be delayed by twice, the visibility timeout, with 4 workers."""
    timeout_s = 3
    stack = Stack(delivery, workers=4, concurrency=1, prefetch=1, FAULTS_VISIBILITY_S=str(timeout_s))
    try:
        stack.wait_ready()
        stack.producer.send_task("faults.work", ("r0", 2.0 * timeout_s), priority=5)
        stack.producer.send_task("faults.work", ("r1",), priority=5, countdown=2 * timeout_s)
        stack.wait_done(2, scale.settle_s)
        time.sleep(2 * timeout_s)
        starts = stack.counts("started")
        note = f"long run started {starts.get('r0', 0)} times, delayed run {starts.get('r1', 0)} times"
        return seen(stack, 2, None, note, also=max(starts.values(), default=0) == 1)
    finally:
        stack.close()


def surgery(delivery: str, scale: Scale) -> Seen:
    """Re-prioritise, move, delete and revoke waiting runs beside four consumers."""
    from celery_nexus.broker import BrokerSource
    from workers.deployment import CODE

    runs = 1000 if scale is LONG else 200
    stack = Stack(delivery, workers=2, concurrency=2)
    broker = BrokerSource(stack.url, code=CODE)
    try:
        stack.wait_ready()
        sent = [
            str(stack.producer.send_task("faults.work", (f"r{number}", 0.05), priority=5).id) for number in range(runs)
        ]
        chance = random.Random(SEED)
        order = list(enumerate(sent))
        chance.shuffle(order)
        never: set[str] = set()
        changed = 0
        for number, run_id in order:
            outcome, is_gone = _operate(broker, run_id, number % 4)
            changed += outcome.done
            if outcome.done and is_gone:
                never.add(f"r{number}")
        stack.wait_done(runs - len(never), scale.settle_s)
        wait_until(lambda: stack.held() == 0, 10)
        starts = stack.counts("started")
        wrong = sorted(name for name in never if name in starts)
        wrong += sorted(name for name, count in starts.items() if count != 1)
        done = sum(name not in never for name in stack.counts("done")) + len(never)
        note = f"{changed} changed, {len(never)} of them never ran as said, {len(wrong)} wrong"
        return seen(stack, runs, None, note, also=not wrong, done=done)
    finally:
        stack.close()


def _operate(broker: Any, run_id: str, way: int) -> tuple[TargetOutcome, bool]:
    """Do one of four things to a waiting run; returns what came of it, and whether the run must never start."""
    from celery_nexus.broker.edit.edits import MoveTo, Reprioritise

    found = broker.find(run_id, queue=QUEUE, priority=5)
    if found is None:
        return TargetOutcome(run_id, False, "had already started"), False
    if way == 0:
        return broker.apply(found, Reprioritise(2)), False
    if way == 1:
        return broker.apply(found, MoveTo(OTHER_QUEUE)), False
    if way == 2:
        return broker.delete(found, undo=broker.announce_undo("messages", "delete")), True
    outcome: TargetOutcome = broker.delete(found)
    if outcome.done:
        broker.mark_revoked([run_id])
        broker.announce_revoked([run_id])
    return outcome, True
