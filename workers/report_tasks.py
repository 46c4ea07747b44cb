"""Reports: the shells that Celery runs around the plain functions in ``workers.services``."""
