"""What runs by the clock. Beat keeps it in Redis (RedBeat), beside the entries that users add."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "monitor-queue-sizes": {
        "task": "workers.maintenance_tasks.monitor_queue_sizes",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "cleanup-temp-files": {
        "task": "workers.file_tasks.cleanup_temp_files",
        "schedule": crontab(minute="17"),
        "options": {"expires": 3600},
    },
}
