"""The queue registry: one entry a queue, from which everything else about it is derived.

Celery's queues, routes and task options, the programs of ``supervisor.conf``, the rows, colours and forms
of the dashboard and the README's table all follow from :data:`QUEUES`.
"""

from __future__ import annotations

from celery_nexus.queues import AlertThresholds, QueueRegistry, QueueSlo, QueueSpec, RetryPolicy

_HALF_HOUR = 30 * 60
_SOFT = 25 * 60

QUEUES: tuple[QueueSpec, ...] = (
    QueueSpec(
        family="email",
        name="email_queue",
        purpose="mail: single, bulk, templates, scheduled",
        module="workers.email_tasks",
        concurrency=4,
        prefetch=4,
        retry=RetryPolicy(max_retries=3, delay_s=60, exponential=True),
        time_limit_s=_HALF_HOUR,
        soft_time_limit_s=_SOFT,
        rate_limit=None,
        colour="cyan",
        alert=AlertThresholds(waiting=1000, oldest_s=600),
        slo=QueueSlo(starts_within_s=30, target=0.99),
    ),
    QueueSpec(
        family="files",
        name="file_processing_queue",
        purpose="Word, Excel, PowerPoint, PDF and image processing",
        module="workers.file_tasks",
        concurrency=2,
        prefetch=1,
        retry=RetryPolicy(max_retries=2, delay_s=30),
        time_limit_s=_HALF_HOUR,
        soft_time_limit_s=_SOFT,
        rate_limit=None,
        colour="green",
        alert=AlertThresholds(waiting=500, oldest_s=1800),
    ),
    QueueSpec(
        family="ai",
        name="ai_queue",
        purpose="Claude and GPT: completion, analysis, translation",
        module="workers.ai_tasks",
        concurrency=2,
        prefetch=1,
        retry=RetryPolicy(max_retries=3, delay_s=10, exponential=True),
        time_limit_s=10 * 60,
        soft_time_limit_s=9 * 60,
        rate_limit="10/m",
        colour="magenta",
        alert=AlertThresholds(waiting=200, oldest_s=1800),
    ),
    QueueSpec(
        family="reports",
        name="reports_queue",
        purpose="reports and exports, also on a schedule",
        module="workers.report_tasks",
        concurrency=2,
        prefetch=1,
        retry=RetryPolicy(max_retries=2, delay_s=30),
        time_limit_s=_HALF_HOUR,
        soft_time_limit_s=_SOFT,
        rate_limit=None,
        colour="yellow",
        alert=AlertThresholds(waiting=100, oldest_s=3600),
    ),
    QueueSpec(
        family="default",
        name="default_queue",
        purpose="maintenance, and tasks without a family",
        module="workers.maintenance_tasks",
        concurrency=2,
        prefetch=4,
        retry=RetryPolicy(),
        time_limit_s=_HALF_HOUR,
        soft_time_limit_s=_SOFT,
        rate_limit=None,
        colour="blue",
        alert=AlertThresholds(waiting=1000, oldest_s=600),
    ),
)

DEFAULT_QUEUE = "default_queue"

REGISTRY = QueueRegistry(QUEUES)
BY_NAME = REGISTRY.by_name
BY_FAMILY = REGISTRY.by_family
spec_of_task = REGISTRY.of_task
