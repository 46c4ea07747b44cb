"""Whether one worker, queue, beat or broker is at work: asked and answered in a fraction of what starting Celery takes.

For health checks, which run every few seconds: nothing here imports Celery, redis-py or pydantic.
"""
