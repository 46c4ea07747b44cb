"""Figures that Celery's settings and Supervisor's programs share."""

SOFT_SHUTDOWN_S = 10
"""A stopping worker lets runs finish for so long; what still runs then goes back to its queue."""

BEAT_LOCK = "redbeat::lock"
"""Key that the beat at work holds (RedBeat's own default)."""

BEAT_LOCK_S = 30
"""A beat that is gone holds the schedule for so long."""

RESULT_EXPIRES_S = 3600
"""A result is kept for so long."""
