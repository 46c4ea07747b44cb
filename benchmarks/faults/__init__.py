"""Faults on purpose: what is lost, stuck or run twice when processes are killed, brokers vanish and messages lie.

``python -m benchmarks.faults`` runs all of it, ``--short`` what fits into a minute, ``--delivery stock`` the same
faults against stock Celery's transport, ``--delivery peer`` against celery-redis-plus. Evidence (which run started and
ended, how often) is kept in a second broker that no fault touches.
"""
