"""Figures that Celery's settings and Supervisor's programs share."""

SOFT_SHUTDOWN_S = 10
"""A stopping worker lets runs finish for so long; what still runs then goes back to its queue."""
