"""Celery's own integration tests and kombu's of its Redis transport, on stock and on reliable delivery."""
