"""Reading of the evidence: everything once, in bounded time, with pipelines and SCAN; what is refused is noted."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import redis
from redis.exceptions import ResponseError

from celery_nexus.broker.read.census import take_census
from celery_nexus.broker.wire.connection import connect, translate_errors
from celery_nexus.diagnosis.checks.own_stack import ask_services, examine_stack
from celery_nexus.diagnosis.evidence import Evidence, Past
from celery_nexus.diagnosis.schedule_checks import check_schedule
from celery_nexus.diagnosis.verdicts.consuming import waits
from celery_nexus.diagnosis.verdicts.look import Looks
from celery_nexus.diagnosis.verdicts.queues import Head
from celery_nexus.diagnosis.watch import MOST_HEADS, PAUSE_S, Watch
from celery_nexus.errors import SourceError, Unreachable
from celery_nexus.rows.broker import Held
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.sources import Sources

T = TypeVar("T")

CONFIG = ("timeout", "tcp-keepalive", "save")
HEAD_LENGTH = 20
"""Messages of a queue that are looked at for tasks that nobody has."""

SAMPLE_EVERY_S = 0.1
FIRST_SAMPLES = 8
YOUNG_S = 30.0
"""Age of a worker below which it may be one of many starts: it is looked at for longer."""

LOOK_ON_S = 8.0
"""Longest time of looking at workers that seem to start again and again."""

SHORT_PAUSE_S = 0.5
"""Pause between looks at a worker that was seen to start anew."""

LEAST_RESTARTS = 2
"""Starts of one worker, while it is looked at, that end the looking."""

SILENT_S = 5.0
"""Longest time of looking at workers that don't answer and were not seen to start anew."""

MOST_HELD = 500
MOST_ASKED = 100
"""Runs of which workers are asked whether they know them."""

REVOKED_OF = 2
START_BEAT = "celery -A APPLICATION beat"
WEEK_S, DAY_S = 7 * 86_400.0, 86_400.0


@dataclass
class _Server:
    """What the server says, and what its user may not ask."""

    info: Mapping[str, Any]
    config: Mapping[str, str]
    skew_s: float | None
    longest_idle_s: int | None
    refused: list[str]


def gather(sources: Sources) -> Evidence:
    """Read the evidence of one application.

    Raises:
        Unreachable: The broker does not answer.
    """
    with ThreadPoolExecutor(2) as pool:  # they wait for others most of the time
        clocks = pool.submit(_read_clocks, sources)
        services = pool.submit(ask_services, sources.deployment)
        return _gather(sources, clocks, services)


def _gather(sources: Sources, clocks: Future[Mapping[str, float]], services: Future[tuple[Finding, ...]]) -> Evidence:
    watch = Watch(sources)
    sources.broker.queues()  # rates are known from the second reading on
    first = watch.read()
    looks, rounds, held = _look_on(sources, watch, first)
    workers = [row.name for row in looks.now.workers if row.concurrency is not None]
    registered = _try(lambda: sources.control.list_registered_tasks(workers), {})
    versions = _try(lambda: sources.control.list_versions(workers), {})
    revoked = _try(lambda: sources.control.count_revoked(workers[:REVOKED_OF]), {}) if sources.is_foreign else {}
    with closing(connect(sources.broker.url, attempts=2)) as client, translate_errors(sources.broker.url):
        server = _read_server(client, sources)
        census = take_census(client, _result_expiry(sources), lambda: _try(sources.control.expire_replies, None))
    if census is None:
        server.refused.append("SCAN")
    if "EVALSHA" in sources.broker.missing:
        server.refused.append("EVALSHA")
    return Evidence(
        broker=sources.broker.url.masked,
        looks=looks,
        info=server.info,
        config=server.config,
        refused=tuple(server.refused),
        skew_s=server.skew_s,
        longest_idle_s=server.longest_idle_s,
        clocks=_to_broker_clock(clocks.result(), server.skew_s, is_foreign=sources.is_foreign),
        settings=_settings(sources),
        versions=versions,
        registered=registered,
        heads=_heads(sources, looks, rounds),
        census=census,
        held=held,
        leftovers=_leftovers(sources, looks, held),
        unread_lists=tuple(_try(sources.broker.unread_lists, [])),
        dead_letters=_try(sources.dead_letters.count, 0),
        revoked=revoked,
        past=_read_past(sources),
        declared=sources.code.queues.names,
        programs={spec.name: spec.program for spec in sources.code.queues},
        uses_priorities=_uses_priorities(sources),
        is_foreign=sources.is_foreign,
        user=sources.broker.url.username or "default",
        of_the_stack=(*_try(lambda: examine_stack(sources), ()), *services.result()),
        schedule=_try(lambda: _examine_schedule(sources, registered), ()),
    )


def _try(read: Callable[[], T], nothing: T) -> T:
    """Read what the broker may refuse, or a source may not have: the rest is examined all the same."""
    try:
        return read()
    except Unreachable:
        raise
    except SourceError:
        return nothing


def _look_on(sources: Sources, watch: Watch, first: Looks) -> tuple[Looks, dict[str, dict[str, int]], tuple[Held, ...]]:
    """Look a second time when something may stand still, and on while a worker seems to start again and again.

    Returns:
        The last two looks, the returns of messages by queue and id, and what is held.
    """
    deliveries: dict[tuple[str, str], set[float]] = {}
    rows: tuple[Held, ...] = ()
    for _ in range(FIRST_SAMPLES):  # what goes round fast is held or waits only now and then
        rows = rows or _sample(sources, deliveries)
        time.sleep(0.0 if rows else SAMPLE_EVERY_S / 2)
    looks = first
    is_young = any(row.uptime_s is not None and row.uptime_s < YOUNG_S for row in first.now.workers)
    known = {row.name for row in first.now.workers}
    gone = {*_try(lambda: sources.control.list_dismissed(known), ()), *sources.control.ask_anew()}
    if not rows and not is_young and not gone and not any(map(waits, first.now.queues)):
        return looks, {}, rows
    began = time.monotonic()
    for pause_s in itertools.chain([PAUSE_S], itertools.repeat(SHORT_PAUSE_S)):
        until = time.monotonic() + pause_s
        while time.monotonic() < until:  # also when the first samples met it while it waited
            time.sleep(SAMPLE_EVERY_S)
            rows = _sample(sources, deliveries)
        time.sleep(max(0.0, until - time.monotonic()))
        looks = watch.read()
        # One that starts again and again is met as often when it is not there.
        missing, restarts = sources.control.ask_anew(), looks.now.restarts
        is_restarting = bool(restarts or missing or gone & {row.name for row in looks.now.workers})
        if not is_restarting or max(restarts.values(), default=0) >= LEAST_RESTARTS:
            break
        if time.monotonic() - began > (LOOK_ON_S if restarts else SILENT_S):
            break
        gone = {*missing}
    rounds: dict[str, dict[str, int]] = {}
    for (queue, run_id), seen in deliveries.items():
        rounds.setdefault(queue, {})[run_id] = len(seen) - 1
    return looks, rounds, rows


def _sample(sources: Sources, deliveries: dict[tuple[str, str], set[float]]) -> tuple[Held, ...]:
    """Note when what is held was delivered: the same message at another time came back in between."""
    rows = tuple(_try(lambda: sources.broker.list_held(MOST_HELD), []))
    for row in rows:
        if row.since is not None and row.id:
            deliveries.setdefault((row.queue, row.id), set()).add(row.since.timestamp())
    return rows


def _heads(sources: Sources, looks: Looks, rounds: Mapping[str, Mapping[str, int]]) -> dict[str, Head]:
    names = [queue.name for queue in looks.now.queues if waits(queue)][:MOST_HEADS]
    found: dict[str, Head] = {}
    for name in dict.fromkeys((*names, *rounds)):
        messages = _try(lambda name=name: sources.broker.messages(name, HEAD_LENGTH), []) if name in names else []
        tasks = tuple(dict.fromkeys(message.task for message in messages))
        found[name] = Head(tasks, len(messages), rounds.get(name))
    return found


def _leftovers(sources: Sources, looks: Looks, held: Sequence[Held]) -> tuple[Held, ...]:
    """List what is held by no worker that answers; nothing when a worker can't be asked what it holds."""
    workers = looks.now.workers
    rows = [row for row in held if row.worker is None and row.id][:MOST_ASKED]
    if not rows or looks.before is None or any(row.concurrency is None for row in workers if row.verdict != "silent"):
        return ()
    known = _try(lambda: sources.control.find_known_runs([row.id for row in rows]), frozenset[str]())
    unknown = {row.id for row in rows} - known
    if not unknown:
        return ()
    still = {(row.id, row.since) for row in _try(lambda: sources.broker.list_held(MOST_HELD), [])}
    return tuple(row for row in rows if row.id in unknown and (row.id, row.since) in still)


def _read_server(client: redis.Redis, sources: Sources) -> _Server:
    refused: list[str] = []

    def ask(name: str, read: Callable[[], T], nothing: T) -> T:
        try:
            return read()
        except ResponseError:  # no right, or no such command: NoPermissionError is one
            refused.append(name)
            return nothing

    info = ask("INFO", lambda: client.info("everything"), {})
    config = ask("CONFIG GET", lambda: {name: _config(client, name) for name in CONFIG}, {})
    before = time.time()
    told = ask("TIME", lambda: client.time(), None)
    skew_s = None if told is None else told[0] + told[1] / 1e6 - (before + time.time()) / 2
    connections = sources.broker.read_connections()
    if connections is None:
        refused.append("CLIENT LIST")
    idle_s = max((row.idle_s for row in connections.rows), default=None) if connections else None
    return _Server(info, config, skew_s, idle_s, refused)


def _read_clocks(sources: Sources) -> Mapping[str, float]:
    """Read how far workers' clocks are ahead: of ours for another application, else of the broker's."""
    control = sources.control
    return _try(control.hear_clocks if sources.is_foreign else control.clocks, {})


def _to_broker_clock(clocks: Mapping[str, float], skew_s: float | None, *, is_foreign: bool) -> Mapping[str, float]:
    """Compare clocks with the broker's; where it does not tell its own, with ours."""
    ahead_s = (skew_s or 0.0) if is_foreign else 0.0
    return {name: clock_s - ahead_s for name, clock_s in clocks.items()}


def _config(client: redis.Redis, name: str) -> str:
    return str(cast("Any", client.config_get(name)).get(name, ""))


def _settings(sources: Sources) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for layout in sources.broker.layouts:
        told = sources.control.configuration(layout)
        if told is not None:
            found[layout.prefix] = told.settings
    return found


def _result_expiry(sources: Sources) -> int | None:
    """Tell for how many seconds results are kept; None when neither code nor workers tell it."""
    if sources.code.is_here:
        return sources.code.result_expires_s
    told = [sources.control.configuration(layout) for layout in sources.broker.layouts]
    known = [row for row in told if row is not None]
    if not known:
        return None
    return known[0].read_whole("result_expires") if "result_expires" in known[0].settings else int(DAY_S)


def _uses_priorities(sources: Sources) -> bool:
    told = (sources.control.configuration(layout) for layout in sources.broker.layouts)
    return any(row is not None and row.uses_priorities for row in told)


def _read_past(sources: Sources) -> Past | None:
    """Read what the history knows; None where there is none."""
    history = sources.history
    if not history.exists:
        return None

    def read() -> Past:
        stats = [row for row in history.stats(time.time() - WEEK_S) if row.ran_s is not None]
        longest = max(stats, key=lambda row: row.ran_s[2] if row.ran_s else 0.0, default=None)
        return Past(
            longest_run_s=longest.ran_s[2] if longest and longest.ran_s else None,
            longest_task=longest.task if longest else "",
            gaps=tuple(gap for gap in history.gaps() if time.time() - gap.at < DAY_S),
            silent_workers=history.list_silent_workers() if sources.is_foreign else (),
            recorded_workers=frozenset(run.worker for run in history.runs(limit=200) if run.worker),
        )

    return _try(read, None)


def _examine_schedule(sources: Sources, registered: Mapping[str, Collection[str]]) -> tuple[Finding, ...]:
    """Examine beat and its entries."""
    tasks = {task for told in registered.values() for task in told}
    start = "nexus-tui start beat" if not sources.is_foreign and sources.supervisor.is_used else START_BEAT
    return tuple(check_schedule(sources.schedule.read(), tasks, start))
