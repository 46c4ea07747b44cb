"""Reliable delivery, history and diagnosis for any Celery application on Redis or Valkey."""
