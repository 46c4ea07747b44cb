"""The catalogue of faults, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.faults import brokers, clocks, hosts, messages, processes, recording
from benchmarks.faults.seen import Scale, Seen


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        name: Its short name on the command line.
        title: What happens, for the table.
        promise: What must be true.
        run: Does it: delivery and scale to what was seen.
        is_short: Whether the short form has it.
        has_peer: Whether it can be done to celery-redis-plus, which keeps messages elsewhere.
    """

    name: str
    title: str
    promise: str
    run: Callable[[str, Scale], Seen]
    is_short: bool = False
    has_peer: bool = False


_ALL = (
    Fault(
        "kills",
        "a random worker process SIGKILLed every 2 s",
        "0 lost, 0 stuck; run twice only what was in flight at a kill; rescue p99 ≤ 10 s",
        processes.kills,
        is_short=True,
        has_peer=True,
    ),
    Fault("kills-busy", "the same on a loaded machine", "the same", processes.kills_on_a_busy_machine, has_peer=True),
    Fault(
        "held-fetch",
        "SIGKILL with the fetch held open between its steps",
        "back ≤ 10 s",
        processes.held_fetch,
        is_short=True,
    ),
    Fault(
        "malformed",
        "malformed messages between good ones, and on the control channel",
        "each a dead letter, all good ones run, worker pid unchanged",
        messages.malformed,
        is_short=True,
    ),
    Fault(
        "poison",
        "runs that kill their process: SIGKILL, `os._exit`, segmentation fault, 3 GB, the worker",
        "3 starts, then a dead letter; 100 runs behind them delayed ≤ 10 s in all",
        processes.poison,
        is_short=True,
        has_peer=True,
    ),
    Fault(
        "visibility",
        "delayed by twice, running for twice the visibility timeout, 4 workers",
        "one start each",
        messages.visibility,
    ),
    Fault(
        "recorder",
        "the recorder SIGKILLed every 5 s",
        "history complete 15 s after the end",
        recording.recorder_killed,
    ),
    Fault(
        "broker-killed",
        "the broker killed and started again 3 times under load",
        "goes on ≤ 5 s, 0 lost beyond the last second of the append-only file",
        brokers.broker_killed,
        is_short=True,
    ),
    Fault("half-open", "TCP connections that fall silent", "consumes again ≤ 20 s, 0 lost", brokers.half_open),
    Fault("broker-frozen", "the broker frozen (SIGSTOP)", "goes on ≤ 10 s, 0 lost", brokers.broker_frozen),
    Fault("connections-cut", "all connections cut, 50 times", "goes on ≤ 10 s, 0 lost", brokers.connections_cut),
    Fault(
        "memory-full",
        "the broker out of memory (maxmemory)",
        "submit is refused, work goes on ≤ 10 s after relief, 0 lost",
        brokers.memory_full,
    ),
    Fault(
        "stops",
        "workers stopped and started under load",
        "0 lost, 0 run twice",
        processes.stops,
        is_short=True,
        has_peer=True,
    ),
    Fault(
        "worker-frozen",
        "a worker frozen (SIGSTOP) while it holds runs",
        "0 lost, 0 run twice",
        processes.frozen_worker,
        has_peer=True,
    ),
    Fault(
        "host-lost",
        "a worker's host lost for good; nobody else can see its processes",
        "0 lost; what it ran starts elsewhere ≤ 20 s",
        hosts.lost_host,
    ),
    Fault(
        "host-frozen",
        "a worker's host frozen past its lease; its runs and its name are others' when it thaws",
        "0 lost; run twice only what ran when it froze",
        hosts.frozen_host,
    ),
    Fault(
        "clock-steps",
        "the wall clocks of a worker, the guardian, the broker set by ±1 s and ±1 h",
        "0 lost, 0 run twice",
        clocks.clock_steps,
    ),
    Fault(
        "surgery",
        "re-prioritise, move, delete, revoke 1,000 waiting runs beside four consumers",
        "each runs exactly once or never, as said",
        messages.surgery,
        is_short=True,
    ),
)

FAULTS = {fault.name: fault for fault in _ALL}
