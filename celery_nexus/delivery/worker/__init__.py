"""What reliable delivery adds to Celery's worker: consumer, requests, children, ways to stop."""
