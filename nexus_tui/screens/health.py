"""The line of health at the top and the status at the bottom right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from nexus_tui.models.runs import Run
from nexus_tui.models.text import UNKNOWN, duration, rate, safe_text
from nexus_tui.screens.host import Host
from nexus_tui.widgets.lines import Line, Span

ALIVE = frozenset({"healthy", "busy"})


def line(host: Host, now: datetime) -> tuple[Line, Line]:
    """Make the left and right end: where, workers, throughput, failures, wait, time."""
    left: list[Span] = [(" NEXUS ", "strong"), ("▸ ", "accent"), (safe_text(host.place, 60), "plain")]
    for part in (_workers(host), _throughput(host), _failures(host.recent.latest), _wait(host.recent.latest)):
        left += [("   ", "plain"), *part]
    badge: Line = (("READ-ONLY ", "warn"),) if host.read_only else ()
    return tuple(left), (*badge, (f" {now.astimezone():%H:%M} ", "dim"))


def status(host: Host) -> Line:
    """Say whether every source is fresh, and whether things can be changed."""
    mode = "read-only" if host.read_only else "read-write"
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


def failure_share(runs: Sequence[Run]) -> float | None:
    """Percentage of the ended runs that failed; None when none has ended."""
    ended = [run for run in runs if run.is_final]
    return 100 * sum(run.state == "FAILURE" for run in ended) / len(ended) if ended else None


def wait_p95(runs: Sequence[Run]) -> float | None:
    """95th percentile in seconds of how long the started ones had waited; None when none has started."""
    waits = sorted(run.waited_s for run in runs if run.waited_s is not None and run.started_at is not None)
    return waits[min(len(waits) * 95 // 100, len(waits) - 1)] if waits else None


def _workers(host: Host) -> Line:
    workers = host.snapshot.workers.value
    if workers is None:
        return ((f"○ {UNKNOWN} workers", "dim"),)
    if not workers:
        return (("○ no workers", "warn"),)
    alive = sum(worker.verdict in ALIVE for worker in workers)
    good = alive == len(workers)
    return ((f"{'●' if good else '▲'} {alive}/{len(workers)} workers", "good" if good else "warn"),)


def _throughput(host: Host) -> Line:
    queues = host.snapshot.queues.value
    rates = [queue.out_per_s for queue in queues or () if queue.out_per_s is not None]
    return ((f"↑ {rate(sum(rates) if rates else None)}/s", "plain"),)


def _failures(latest: Sequence[Run]) -> Line:
    share = failure_share(latest)
    words = UNKNOWN if share is None else f"{share:.1f} %"
    return ((f"✗ {words}", "bad" if share else "plain"),)


def _wait(latest: Sequence[Run]) -> Line:
    return ((f"wait p95 {duration(wait_p95(latest))}", "plain"),)
