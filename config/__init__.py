"""Declarations of this deployment: settings, queue registry, Celery's settings, schedule, Supervisor's programs.

Nothing here does work; ``workers`` and ``nexus_tui`` derive what they do from it.
"""
