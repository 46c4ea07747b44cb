"""What is declared: settings, the queue registry, Celery's settings, the schedule and Supervisor's programs.

Nothing here does work; ``workers`` and ``nexus_tui`` derive what they do from it.
"""
