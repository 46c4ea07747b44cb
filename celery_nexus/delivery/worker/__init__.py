"""Extensions of Celery's worker: consumer, requests, children, shutdown."""
