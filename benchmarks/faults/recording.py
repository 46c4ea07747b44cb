"""Faults of the recorder: killed again and again while runs end."""

from __future__ import annotations

import threading
import time

from benchmarks.faults.seen import Scale, Seen, seen
from benchmarks.faults.stack import Stack, wait_until
from celery_nexus.history.query.history import History

EVERY_S = 5.0
COMPLETE_S = 15.0


def recorder_killed(delivery: str, scale: Scale) -> Seen:
    """Kill the recorder every 5 s while runs come and go; the peer listens to Celery's own events."""
    stack = Stack(delivery, prefetch=16)
    ending = threading.Event()
    kills = 0

    def record() -> None:
        nonlocal kills
        while True:
            process = (
                stack.start_recorder()
                if delivery == "reliable"
                else stack.program("benchmarks.faults.listener", log="listener")
            )
            has_ended = ending.wait(EVERY_S)
            if has_ended:
                time.sleep(COMPLETE_S)
            process.kill()
            process.wait()
            if has_ended:
                return
            kills += 1

    if stack.recorder is not None:
        stack.recorder.kill()
        stack.recorder.wait()
    recording = threading.Thread(target=record)
    recording.start()
    try:
        stack.wait_ready()
        if delivery == "stock":
            stack.producer.control.enable_events()
        stack.publish(scale.runs, max(0.002, 20 * 4 / scale.runs))
        stack.wait_done(scale.runs, scale.settle_s + 60)
        wait_until(lambda: stack.held() == 0, 10)
        ending.set()
        time.sleep(COMPLETE_S - 1)
        known = _known(stack)
        recording.join()
        if delivery == "reliable":
            stack.start_recorder()
        note = f"{kills} kills; {known:,} of {scale.runs:,} runs are complete in the history {COMPLETE_S:g} s later"
        return seen(stack, scale.runs, None, note, also=known == scale.runs)
    finally:
        ending.set()
        recording.join()
        stack.close()


def _known(stack: Stack) -> int:
    if stack.delivery == "stock":
        return int(stack.evidence.scard("listened"))
    with History(stack.paths.history) as history:
        return history.count("state:success")
