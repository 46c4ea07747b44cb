"""The line of health at the top and the status at the bottom right."""

from __future__ import annotations

from datetime import datetime

from celery_nexus.rows.text import UNKNOWN, duration, rate, safe_text
from celery_nexus.rows.workers import ALIVE
from nexus_tui.screens.frame.host import Host
from nexus_tui.widgets.lines import Line, Span

_REPLAY_KEYS: Line = (("+", "accent"), (" faster  ", "dim"), ("p", "accent"), (" stop or go on ", "dim"))


def line(host: Host, now: datetime) -> tuple[Line, Line]:
    """Make the left and right end: where, workers, throughput, failures, wait, time."""
    left: list[Span] = [(" NEXUS ", "strong"), ("▸ ", "accent"), *_context(host), (safe_text(host.place, 60), "plain")]
    for part in (_workers(host), _throughput(host), _of_the_hour(host)):
        left += [("  ", "plain"), *part]
    badge: Line = (("READ-ONLY ", "warn"),) if host.read_only else ()
    if host.replay is not None:
        badge = (("RECORDING ", "warn"),)
    if host.open_for_s:
        minutes, seconds = divmod(round(host.open_for_s), 60)
        badge = ((f" UNLOCKED {minutes}:{seconds:02} ", "chip-red"),)
    return tuple(left), (*badge, (f" {now.astimezone():%H:%M} ", "dim"))


def status(host: Host) -> Line:
    """Say whether every source is fresh, and whether things can be changed; in a replay which keys lead through it."""
    if host.replay is not None:
        return ((", .", "accent"), (" time  ", "dim"), ("}", "accent"), (" mark  ", "dim"), *_REPLAY_KEYS)
    mode = "read-only" if host.read_only else "read-write"
    if why := host.sources.why_read_only:
        mode = f"{mode}: {safe_text(why, 60)}"
    troubles = host.troubles.all
    at_work = list(host.running_actions)
    if at_work:
        more = f" and {len(at_work) - 1} more" if len(at_work) > 1 else ""
        return ((f"▶ {safe_text(at_work[0], 60)}{more}", "accent"), (f" · {mode} ", "dim"))
    if host.frozen:
        return (("∥ frozen, p goes on", "warn"), (f" · {mode} ", "dim"))
    if troubles:
        return ((f"▲ {len(troubles)} of 4 sources silent", "warn"), (f" · {mode} ", "dim"))
    return ((f"every source fresh · {mode} ", "dim"),)


def _context(host: Host) -> Line:
    context = host.context
    if context is None:
        return ()
    words = f" {safe_text(context.name, 30)}{' · production' if context.production else ''} "
    return ((words, f"chip-{context.shown_colour}"), (" ", "plain"))


def _workers(host: Host) -> Line:
    workers = host.snapshot.workers.value
    if workers is None:
        return ((f"○ {UNKNOWN} workers", "dim"),)
    if not workers:
        return (("○ no workers", "warn"),)
    if host.troubles.workers:
        return ((f"▲ {UNKNOWN}/{len(workers)} workers", "warn"),)
    alive = sum(worker.verdict in ALIVE for worker in workers)
    good = alive == len(workers)
    return ((f"{'●' if good else '▲'} {alive}/{len(workers)} workers", "good" if good else "warn"),)


def _throughput(host: Host) -> Line:
    queues = () if host.troubles.broker else host.snapshot.queues.value or ()
    rates = [queue.out_per_s for queue in queues if queue.out_per_s is not None]
    return ((f"↑ {rate(sum(rates) if rates else None)}/s", "plain"), (" 15 s", "dim"))


def _of_the_hour(host: Host) -> Line:
    hour = None if host.troubles.history else host.recent.hour
    share = None if hour is None or hour.failure_rate is None else 100 * hour.failure_rate
    failed = UNKNOWN if share is None else f"{share:.1f} %"
    wait = duration(hour.waited_s[1] if hour and hour.waited_s else None)
    return ((f"✗ {failed}", "bad" if share else "plain"), (f"  wait p95 {wait}", "plain"), (" 1 h", "dim"))
