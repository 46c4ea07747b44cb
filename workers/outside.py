"""Services outside the stack that its tasks need, the mail server and the AI providers, and how each is asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from celery_nexus.rows.diagnosis.outside import OutsideService
from config.settings import export_env_file, settings
from workers.services.upkeep.verdicts import Judged

AI_SERVICES = {
    "claude": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com"),
}
"""The variables of its key and of its address, and where it is when that is not set."""


def list_probes() -> dict[str, Callable[[], Judged]]:
    """List the probes of all services; one that is not configured says so, and is well."""
    from workers.services.upkeep import probes

    current = settings()
    url = current.smtp_url.get_secret_value() if current.smtp_url else None
    found: dict[str, Callable[[], Judged]] = {"smtp": lambda: probes.smtp(url, current.paths.outbox)}
    for name, (key, base, default) in AI_SERVICES.items():
        if os.environ.get(key):
            found[name] = partial(probes.http_service, os.environ.get(base) or default)
        else:
            found[name] = partial(Judged, "ok", f"not configured ({key} is not set)")
    return found


def ask_services() -> tuple[OutsideService, ...]:
    """Ask those that are configured, for some seconds at most; nothing secret is sent."""
    from workers.services.upkeep import health

    export_env_file()
    configured = {"smtp"} if settings().smtp_url else set[str]()
    configured |= {name for name, (key, _, _) in AI_SERVICES.items() if os.environ.get(key)}
    asked = {name: probe for name, probe in list_probes().items() if name in configured}
    return tuple(OutsideService(row.name, row.verdict == "ok", row.fact) for row in health.examine(asked).checks)
