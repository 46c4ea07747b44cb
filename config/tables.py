"""Tables of the README that follow from the registry; ``python -m config.tables`` writes them there."""

from __future__ import annotations

import sys
from pathlib import Path

from celery_nexus.queues import RetryPolicy
from config.paths import ROOT
from config.queues import QUEUES

README = ROOT / "README.md"
_BEGIN, _END = "<!-- queues -->\n", "<!-- /queues -->\n"


def queue_table() -> str:
    """Write the queues as a Markdown table."""
    lines = ["| queue | worker | children | what for | retries | limit |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{spec.name}` | `{spec.program}` | {spec.concurrency} | {spec.purpose} | {_retries(spec.retry)} |"
        f" {spec.time_limit_s // 60} min{_rate(spec.rate_limit)} |"
        for spec in QUEUES
    ]
    return "\n".join(lines) + "\n"


def update_readme(text: str) -> str:
    """Return the README with its table written anew."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{queue_table()}{_END}{after}"


def _rate(limit: str | None) -> str:
    return f", {limit} of each task on each worker" if limit else ""


def _retries(policy: RetryPolicy) -> str:
    if not policy.max_retries:
        return "none"
    return f"{policy.max_retries} × {'from ' if policy.exponential else ''}{policy.delay_s} s"


def main(path: Path = README) -> None:
    """Write the table into the README."""
    path.write_text(update_readme(path.read_text()))


if __name__ == "__main__":
    sys.exit(main())
