"""Probe of a worker: whether it consumes, and not only whether it answers.

A worker that consumes has a connection that waits at its queues' lists (``BRPOP``), or is busy with what it took last.
Which of the server's connections are the worker's is seen where both ends are: beside the worker. From elsewhere it
is enough that every worker that listens has such a connection; else the worker itself is asked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from celery_nexus.connection.keys import PAUSED_HASH, WORKER_HASH
from celery_nexus.connection.node_names import read_node_names
from celery_nexus.connection.plain_connection import PlainConnection, Refusal
from celery_nexus.delivery import keys
from celery_nexus.delivery.leases.heartbeats import measure_silence_s
from celery_nexus.probe import inquiry, processes
from celery_nexus.probe.answer import BROKEN, Answer, count
from celery_nexus.probe.clients import IS_REPLICA, Client, count_consuming, is_replica, read_clients, took_last

SILENT_S = 15.0
"""Age of the last heartbeat, one in two seconds with our library, from which a worker is stopped, or hangs."""

LOOK_AGAIN_S = 0.03
LOOKS = 8
"""Looks at a worker that is seen without a wait: it may be between two of them."""

TAKEN_WITHIN_S = 3.0
"""Largest difference by which a message counts as taken at that moment: ``CLIENT LIST`` counts whole seconds, and
workers' clocks differ."""

UNACKED, UNACKED_INDEX = "unacked", "unacked_index"
NO_RIGHT = "its user may not see connections, so whether it consumes is unknown: ACL SETUSER {user} +client|list +info"


class Seen(NamedTuple):
    """What the broker told of a worker.

    Attributes:
        node: Its name.
        beat: Its last heartbeat, when it has our library.
        silent_s: Seconds since then, by the broker's clock.
        holds: Messages in flight that are known to be its own; only with reliable delivery.
        names: Workers that are bound to remote control; killed ones, too.
        listening: How many listen there now.
        topic: On which channel.
        in_flight: Messages that stock workers of this database hold.
        clients: Connections to the database; None when this user may not see them.
        server_pid: The server's process.
        is_direct: Whether the server sees addresses as they are here: no address translation between.
        paused: Queues of it that an operator paused.
    """

    node: str
    beat: dict[str, Any] | None
    silent_s: float | None
    holds: int
    names: tuple[str, ...]
    listening: int
    topic: str
    in_flight: int
    clients: tuple[Client, ...] | None
    server_pid: int
    is_direct: bool
    paused: tuple[str, ...] = ()


def probe_worker(server: PlainConnection, name: str, prefix: str = "") -> Answer:
    """Tell whether a worker consumes.

    Args:
        server: The broker.
        name: ``email@host``; without a host, of this one. ``%h`` is this host, as Celery writes it.
        prefix: What the names of the application's keys begin with.

    Raises:
        Unreachable: The broker does not answer.
        Refused: It refuses what every user may ask.
    """
    if is_replica(server):
        return Answer.unknown(IS_REPLICA)
    watched = _watch(server, processes.expand_node(name), prefix)
    if watched.answer is not None:
        return watched.answer
    if watched.mine is not None:
        return _ask_what_runs(server, watched.seen, prefix)
    return _ask(server, watched.seen, prefix)


class _Watched(NamedTuple):
    """What was last seen of a worker, its connections, and the answer; None when it has to be asked."""

    seen: Seen
    mine: list[Client] | None
    answer: Answer | None


def _watch(server: PlainConnection, node: str, prefix: str, pid: int | None = None) -> _Watched:
    """Look until a worker is well, a few times: it may be between two waits, or may just have started.

    Args:
        server: The broker.
        node: The worker's name.
        prefix: What the names of the application's keys begin with.
        pid: Its process; None when it has to be found.
    """
    looks = LOOKS
    while True:
        seen = look(server, node, prefix)
        known = pid or _find_process(seen)
        if final := judge_silence(seen) or _judge_stopped(seen, known):
            return _Watched(seen, None, final)
        mine = None if known is None else _connections(server, seen, known)
        found = _judge(server, seen, mine, prefix)
        looks -= 1
        if (found and found.code != BROKEN) or not looks or server.left_s < 3 * LOOK_AGAIN_S:
            return _Watched(seen, mine, found)
        time.sleep(LOOK_AGAIN_S)


def _judge_stopped(seen: Seen, pid: int | None) -> Answer | None:
    if pid is None or not processes.is_stopped(pid):
        return None
    return Answer.broken(f"{seen.node} was stopped by a signal: kill -CONT {pid}")


def _judge(server: PlainConnection, seen: Seen, mine: list[Client] | None, prefix: str) -> Answer | None:
    """Judge by what the broker tells; None when the worker has to be asked."""
    if seen.clients is None:
        return _judge_unseen(seen, server.url.username or "default")
    if mine is None:
        return judge_together(seen)
    last = took_last(mine)
    return judge_connections(seen, mine, 0 if last is None else _count_taken(server, last, prefix))


def look(server: PlainConnection, node: str, prefix: str) -> Seen:
    """Read all that the broker tells at once, in one round trip."""
    own, other = inquiry.topics(prefix, server.url.database)
    answers = server.ask(
        ("HGET", prefix + WORKER_HASH, node),
        ("HLEN", prefix + keys.in_flight_key(node)),
        ("SMEMBERS", f"{prefix}{inquiry.BINDING}{inquiry.EXCHANGE}"),
        ("PUBLISH", own, ""),  # kombu drops an empty message without a word, and Redis tells how many listen
        ("PUBLISH", other, ""),
        ("HLEN", prefix + UNACKED),
        ("TIME",),
        ("CLIENT", "LIST"),
        ("CLIENT", "INFO"),
        ("INFO", "server"),
        ("HGETALL", prefix + PAUSED_HASH),
    )
    known: list[Any] = [None if isinstance(answer, Refusal) else answer for answer in answers]
    raw, holds, members, here, shared, in_flight, clock, clients, me, info, paused = known
    beat = _read_object(raw)
    now = float(clock[0]) + float(clock[1]) / 1e6 if clock else time.time()
    return Seen(
        node=node,
        beat=beat,
        silent_s=None if beat is None else measure_silence_s(beat, now, 0.0),
        holds=holds or 0,
        names=tuple(read_node_names(members or (), inquiry.EXCHANGE)),
        listening=here or shared or 0,
        topic=own if here or not shared else other,
        in_flight=in_flight or 0,
        clients=read_clients(clients, server.url.database),
        server_pid=_read_field(info, b"process_id:"),
        is_direct=not server.local_address or f" addr={server.local_address} ".encode() in (me or b""),
        paused=_paused(paused or [], node),
    )


def judge_silence(seen: Seen) -> Answer | None:
    """Judge a worker with our library that sends no heartbeats; None when it does, or has none to send."""
    if seen.silent_s is None or seen.silent_s <= SILENT_S:
        return None
    said = f"{seen.node} has sent no heartbeat for {seen.silent_s:,.0f} s"
    pid = _pid(seen)
    # A solo pool has no children, and runs its task where the heartbeats are sent.
    if seen.holds and pid is not None and processes.is_going_on(pid) and not processes.has_children(pid):
        return Answer.unknown(f"{said} and holds {count(seen.holds, 'message')}: a solo pool at work, or it hangs")
    return Answer.broken(f"{said}: it hangs, or is gone")


def judge_connections(seen: Seen, mine: Sequence[Client], taken: int) -> Answer | None:
    """Judge a worker by its own connections; None when that it took something is all that is known.

    Args:
        seen: What the broker told.
        mine: The worker's connections.
        taken: Messages in flight that were taken when it took its last one.
    """
    if count_consuming(mine):
        return Answer.well(f"{seen.node} waits for messages")
    if seen.holds:
        return Answer.well(f"{seen.node} is busy: it holds {count(seen.holds, 'message')}")
    if seen.paused:
        return Answer.unknown(f"{seen.node} takes nothing, on purpose: {_resume(seen)}")
    if seen.beat is not None:
        return Answer.broken(f"{seen.node} sends heartbeats and waits for no message: nexus-tui why {seen.node}")
    last = took_last(mine)
    if last is None:
        return Answer.broken(f"{seen.node} is connected, and none of its connections waits for messages: restart it")
    if taken:
        return Answer.well(f"{seen.node} is busy with what it took {last.idle_s:,} s ago")
    return None


def judge_together(seen: Seen) -> Answer | None:
    """Judge a worker whose connections can't be told from those of others; None when it has to be asked."""
    waiting = count_consuming(seen.clients or ())
    if seen.beat is not None and seen.holds:
        return Answer.well(f"{seen.node} is busy: it holds {count(seen.holds, 'message')}")
    if seen.node in seen.names and waiting >= seen.listening >= len(seen.names):
        others = "it alone listens" if seen.listening == 1 else f"{seen.listening:,} workers listen"
        return Answer.well(f"{seen.node} waits for messages: {others}, {_wait(waiting)}")
    if not waiting and not seen.in_flight and not seen.holds and not seen.paused:
        is_known = seen.node in seen.names or seen.beat is not None
        said = f"{seen.node} waits for no message" if is_known else f"no worker {seen.node} is at this broker"
        return Answer.broken(f"{said}: no connection to this database does")
    if seen.node not in seen.names and seen.beat is None:
        return _judge_stranger(seen, waiting)
    return None


def _judge_stranger(seen: Seen, waiting: int) -> Answer:
    there = ", ".join(seen.names[:5]) or "none that takes remote control"
    if waiting <= len(seen.names):
        return Answer.broken(f"no worker {seen.node} is at this broker; there are {there}")
    return Answer.unknown(
        f"{seen.node} is not known here ({there}), and {_wait(waiting)}: its remote control may be switched off; "
        "ask on its own machine"
    )


def judge_answer(seen: Seen, told: dict[str, Any] | None) -> Answer:
    """Judge a worker by what it answered, when its connections are not known."""
    waiting = count_consuming(seen.clients or ())
    if told is None:
        if seen.in_flight:
            return Answer.unknown(
                f"{seen.node} does not answer, and {count(seen.in_flight, 'message')} of this database are in flight: "
                "a solo pool at work, or it hangs; ask on its own machine"
            )
        return Answer.broken(f"{seen.node} does not answer, and nothing is in flight: it is gone, or hangs")
    if not told.get("active_queues") and seen.paused:
        return Answer.unknown(f"{seen.node} takes nothing, on purpose: {_resume(seen)}")
    if not told.get("active_queues"):
        return Answer.broken(f"{seen.node} answers and consumes no queue: celery control add_consumer QUEUE")
    if told.get("active"):
        return Answer.well(f"{seen.node} is busy: it runs {count(len(told['active']), 'task')}")
    return Answer.unknown(
        f"{seen.node} answers; {count(seen.listening, 'worker')} listen and {_wait(waiting)}: which is whose is seen "
        "on its own machine alone"
    )


def _ask_what_runs(server: PlainConnection, seen: Seen, prefix: str) -> Answer:
    """Ask a worker that took a message, acknowledged it before it ran, and has not waited since."""
    told = inquiry.ask_worker(server, seen.topic, seen.node, ("active",), prefix)
    if told is None:
        return Answer.unknown(
            f"{seen.node} took a message, acknowledged it and does not answer: a solo pool at work, or it hangs"
        )
    if told["active"]:
        return Answer.well(f"{seen.node} is busy: it runs {count(len(told['active']), 'task')}")
    return Answer.broken(f"{seen.node} runs nothing, and none of its connections waits for messages: restart it")


def _ask(server: PlainConnection, seen: Seen, prefix: str) -> Answer:
    told = inquiry.ask_worker(server, seen.topic, seen.node, ("active_queues", "active", "stats"), prefix)
    pid = None if told is None else cast("dict[str, Any]", told["stats"] or {}).get("pid")
    if not isinstance(pid, int) or not told or not told.get("active_queues"):
        return judge_answer(seen, told)
    watched = _watch(server, seen.node, prefix, pid)
    if watched.mine is None or watched.answer is None:
        return judge_answer(watched.seen, told)
    return watched.answer


def _judge_unseen(seen: Seen, user: str) -> Answer:
    """Judge where this user may not see connections."""
    if seen.holds:
        return Answer.well(f"{seen.node} is busy: it holds {count(seen.holds, 'message')}")
    if seen.beat is None and seen.node not in seen.names and not seen.in_flight:
        return Answer.broken(f"no worker {seen.node} is at this broker")
    return Answer.unknown(f"{seen.node}: {NO_RIGHT.format(user=user)}")


def _count_taken(server: PlainConnection, last: Client, prefix: str) -> int:
    """Count the messages in flight that stock workers took at the moment when a connection was heard last."""
    at = time.time() - last.idle_s
    first, end = at - TAKEN_WITHIN_S, at + TAKEN_WITHIN_S
    return int(server.ask_one("ZCOUNT", prefix + UNACKED_INDEX, first, end))


def _find_process(seen: Seen) -> int | None:
    return _pid(seen) or processes.find_worker(seen.node)


def _pid(seen: Seen) -> int | None:
    pid = None if seen.beat is None else seen.beat.get("pid")
    return pid if isinstance(pid, int) else None


def _connections(server: PlainConnection, seen: Seen, pid: int) -> list[Client] | None:
    if not seen.is_direct:
        return None
    host = server.local_address.rpartition(":")[0]
    return processes.find_connections(pid, seen.clients or (), seen.server_pid, host)


def _wait(number: int) -> str:
    return f"{count(number, 'connection')} {'waits' if number == 1 else 'wait'}"


def _resume(seen: Seen) -> str:
    return f"{', '.join(seen.paused)} was paused by an operator; nexus-tui resume {seen.paused[0]}"


def _paused(fields: Sequence[bytes], node: str) -> tuple[str, ...]:
    """Name the paused queues that a worker consumed when they were paused."""
    found = zip(fields[::2], fields[1::2], strict=True)
    return tuple(sorted(name.decode("utf-8", "replace") for name, raw in found if _was_paused(raw, node)))


def _was_paused(raw: bytes, node: str) -> bool:
    workers = (_read_object(raw) or {}).get("workers")
    return isinstance(workers, list) and node in workers


def _read_object(raw: bytes | None) -> dict[str, Any] | None:
    if raw is None:
        return None
    import json

    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else None


def _read_field(info: bytes | None, name: bytes) -> int:
    value = (info or b"").partition(name)[2].partition(b"\r\n")[0]
    return int(value) if value.isdigit() else 0
