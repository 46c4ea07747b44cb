"""Celery's events, written to the Redis stream by each worker and publisher."""
