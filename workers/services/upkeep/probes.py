"""The checks of ``health_check``: each looks at one thing and says ok, warning or failed with a fact."""

from __future__ import annotations

import http.client
import os
import shutil
import smtplib
import ssl
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import redis

from celery_nexus.queues import QueueSpec
from workers.services.upkeep.verdicts import Judged, Verdict, find_worst

NETWORK_TIMEOUT_S = 4
_GIB = 1024**3
_CGROUP = Path("/sys/fs/cgroup")


def is_answering(client: redis.Redis) -> bool:
    """Tell whether the broker answers at all."""
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def broker(client: redis.Redis) -> Judged:
    """Check that the broker answers, drops nothing when full, and could save what it holds."""
    info = client.info()
    policy, used, limit = str(info.get("maxmemory_policy")), int(info["used_memory"]), int(info.get("maxmemory", 0))
    version = info.get("valkey_version") or info.get("redis_version")
    fact = f"version {version}, {used / 1024**2:.1f} MiB used"
    if info.get("aof_last_write_status", "ok") != "ok" or info.get("rdb_last_bgsave_status", "ok") != "ok":
        return Judged("failed", f"{fact}; its last save to disk failed")
    if limit and used > 0.9 * limit:
        return Judged("failed", f"{fact}, {100 * used / limit:.0f} % of its limit")
    if policy not in ("noeviction", "None"):
        return Judged("warning", f"{fact}; maxmemory-policy {policy} can drop waiting messages, use noeviction")
    return Judged("ok", fact)


def result_backend(client: redis.Redis) -> Judged:
    """Write, read back and remove a value where results are kept."""
    key, value = f"nexus:health:{uuid.uuid4().hex}", uuid.uuid4().hex
    client.set(key, value, ex=30)
    read = client.get(key)
    client.delete(key)
    return Judged("ok", "wrote, read and removed a value") if read == value else Judged("failed", "read another value")


def disk(folders: Iterable[Path]) -> Judged:
    """Check the free space below each folder: warning under 10 % or 1 GiB, failed under 2 % or 100 MiB."""
    verdicts: list[Verdict] = []
    facts: list[str] = []
    for folder in dict.fromkeys(_existing(folder) for folder in folders):
        usage = shutil.disk_usage(folder)
        share = usage.free / usage.total if usage.total else 0.0
        bad = share < 0.02 or usage.free < 0.1 * _GIB
        poor = share < 0.10 or usage.free < _GIB
        writable = os.access(folder, os.W_OK)
        verdicts.append("failed" if bad or not writable else "warning" if poor else "ok")
        note = "" if writable else ", not writable"
        facts.append(f"{usage.free / _GIB:.1f} GiB free ({100 * share:.0f} %) at {folder}{note}")
    return Judged(find_worst(verdicts), "; ".join(facts))


def memory() -> Judged:
    """Check the memory that is left: warning under 10 %, failed under 3 %; a container's own limit counts."""
    machine = psutil.virtual_memory()
    total, free = float(machine.total), float(machine.available)
    limit, used = _cgroup_number("memory.max"), _cgroup_number("memory.current")
    if limit and used is not None and limit < total:
        total, free = limit, min(free, limit - used + (_reclaimable() or 0))
    share = free / total
    verdict: Verdict = "failed" if share < 0.03 else "warning" if share < 0.10 else "ok"
    return Judged(verdict, f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB available ({100 * share:.0f} %)")


def consumers(specs: Iterable[QueueSpec], consumed: Mapping[str, Iterable[str]]) -> Judged:
    """Check that each queue has a worker; ``consumed`` says which worker consumes which queues."""
    taken = {queue for queues in consumed.values() for queue in queues}
    wanted = [spec.name for spec in specs]
    alone = [name for name in wanted if name not in taken]
    if alone:
        return Judged("failed", f"no worker consumes {', '.join(alone)}")
    return Judged("ok", f"{len(wanted)} queues, {len(consumed)} workers")


def beat(client: redis.Redis, lock_key: str, lock_timeout_s: float) -> Judged:
    """Check that a beat holds the schedule's lock, which it renews at each tick."""
    left_ms = client.pttl(lock_key)
    if left_ms == -2:
        return Judged("failed", "no beat runs: nobody holds the schedule's lock, periodic tasks don't start")
    if left_ms < 0:
        return Judged("warning", "the schedule's lock never ends; a beat that died would keep it")
    ago_s = max(0.0, lock_timeout_s - left_ms / 1000)
    verdict: Verdict = "warning" if ago_s > lock_timeout_s / 2 else "ok"
    return Judged(verdict, f"last tick {ago_s:.0f} s ago")


def smtp(url: str | None, outbox: Path) -> Judged:
    """Check that the mail server answers; it is neither logged in to nor given mail."""
    if not url:
        return Judged("ok", f"no server set (NEXUS_SMTP_URL): mail goes to {outbox}")
    parts = urlsplit(url)
    host, implicit_tls = parts.hostname or "", parts.scheme == "smtps"
    port = parts.port or (465 if implicit_tls else 587 if "starttls" in parts.scheme else 25)
    if implicit_tls:
        context = ssl.create_default_context()
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=NETWORK_TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=NETWORK_TIMEOUT_S)
    with server:
        code, _ = server.ehlo()
        starttls = server.has_extn("starttls")
    if code >= 400:
        return Judged("failed", f"{host}:{port} answers EHLO with {code}")
    if "starttls" in parts.scheme and not starttls:
        return Judged("failed", f"{host}:{port} offers no STARTTLS")
    return Judged("ok", f"{host}:{port} answers")


def http_service(url: str) -> Judged:
    """Check that an HTTP service answers at all; nothing secret is sent, and any status counts as an answer."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return Judged("failed", "its base URL is no http or https address")
    request = urllib.request.Request(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/", method="HEAD")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=NETWORK_TIMEOUT_S) as answer:  # noqa: S310
            status = int(answer.status)
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
    except (urllib.error.URLError, http.client.HTTPException) as error:
        return Judged("failed", f"{parts.hostname} can't be reached: {getattr(error, 'reason', error)}")
    return Judged("ok", f"{parts.hostname} answers (HTTP {status})")


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(item for item in (folder, *folder.parents) if item.exists())


def _cgroup_number(name: str) -> float | None:
    try:
        text = (_CGROUP / name).read_text().strip()
    except OSError:
        return None
    return float(text) if text.isdecimal() else None


def _reclaimable() -> float | None:
    """Bytes of file cache that the container's kernel can drop at once."""
    try:
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) for line in lines if line.startswith("inactive_file ")), None)
