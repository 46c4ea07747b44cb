"""Figures that Celery's settings and Supervisor's programs share."""

SOFT_SHUTDOWN_S = 10
"""Time for which a stopping worker lets runs finish; what still runs then goes back to its queue."""

BEAT_LOCK_S = 30
"""Expiry of the schedule's lock, after which another beat may take over."""

RESULT_EXPIRES_S = 3600
"""Time to live of results."""
