"""Upkeep: is everything well, what is too full, and what is old enough to go. No Celery here."""
