"""Reliable delivery beside its peers, in one run: stock Celery, and celery-redis-plus in an environment of its own.

``python -m benchmarks.delivery`` measures everything, ``python -m benchmarks.delivery queues idle`` two parts.
"""
