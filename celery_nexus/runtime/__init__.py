"""Runtime of tasks and workers: base class, checked arguments, idempotency, standing orders."""
