"""What the tasks do, as plain functions that know no Celery and are tested alone."""
