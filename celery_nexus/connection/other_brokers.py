"""Explanations for brokers that are neither Redis nor Valkey: what works there, and what does not."""

from __future__ import annotations

IS_CLUSTER = (
    "this is a Redis Cluster, which Celery can't use as a broker: one command reads lists of many slots; name a single "
    "server, or Sentinels"
)
_RABBIT = (
    "this is RabbitMQ: queues, messages, workers and runs are read off Redis or Valkey, and none of it can be here; "
    "celery status, celery inspect and celery control work, and rabbitmqctl list_queues counts what waits"
)
_SQS = (
    "this is Amazon SQS: queues, messages, workers and runs are read off Redis or Valkey, and none of it can be here; "
    "Celery has no remote control there either, and CloudWatch counts what waits"
)
_MEMORY = (
    "this broker lives in one process, where nobody else can look; give workers and clients a Redis or Valkey to share"
)

_KINDS = {
    **dict.fromkeys(("amqp", "amqps", "pyamqp", "librabbitmq", "qpid"), _RABBIT),
    "sqs": _SQS,
    "memory": _MEMORY,
    **dict.fromkeys(("redis-cluster", "rediscluster", "redis+cluster", "rediss+cluster", "valkey+cluster"), IS_CLUSTER),
}


def describe_other(scheme: str) -> str | None:
    """Say what the broker of an address is, when it is a known one that can't be read; None for any other scheme."""
    return _KINDS.get(scheme)
