"""Probes of one worker, queue, beat or broker, in a fraction of the time that starting Celery takes.

For health checks, which run every few seconds: nothing here imports Celery, redis-py or pydantic.
"""
