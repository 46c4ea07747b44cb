"""The schedule, which beat keeps in Redis (RedBeat) beside the entries that users add.

Each entry expires before its next turn, so that a stopped worker finds one of them and not a pile. Times are UTC.

An entry whose options have ``only_if_due`` (sorted set in Redis → seconds) is published only while the set has a
score that is so many seconds in the past: what has nothing to do does not fill queues and history.
"""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

from celery_nexus.connection.keys import SCHEDULED_MAIL_CLAIM_S, SCHEDULED_MAIL_CLAIMED, SCHEDULED_MAIL_DUE
from celery_nexus.schedule.stored import CONDITION

_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "send-due-emails": {
        "task": "workers.email_tasks.send_due_emails",
        "schedule": 10.0,
        "options": {
            "expires": 10,
            "priority": 0,
            CONDITION: {SCHEDULED_MAIL_DUE: 0, SCHEDULED_MAIL_CLAIMED: SCHEDULED_MAIL_CLAIM_S},
        },
    },
    "monitor-queue-sizes": {
        "task": "workers.maintenance_tasks.monitor_queue_sizes",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "health-check": {
        "task": "workers.maintenance_tasks.health_check",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "cleanup-temp-files": {
        "task": "workers.file_tasks.cleanup_temp_files",
        "schedule": crontab(minute="17"),
        "options": {"expires": _HOUR_S},
    },
    "cleanup-old-results": {
        "task": "workers.maintenance_tasks.cleanup_old_results",
        "schedule": crontab(minute="5", hour="3"),
        "options": {"expires": _DAY_S},
    },
    "cleanup-failed-tasks": {
        "task": "workers.maintenance_tasks.cleanup_failed_tasks",
        "schedule": crontab(minute="20", hour="3"),
        "options": {"expires": _DAY_S},
    },
    "archive-old-files": {
        "task": "workers.maintenance_tasks.archive_old_files",
        "schedule": crontab(minute="35", hour="3"),
        "options": {"expires": _DAY_S},
    },
}
