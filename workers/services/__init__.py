"""Services of the tasks: plain functions that know no Celery and are tested alone."""
