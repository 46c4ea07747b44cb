"""What an application's tasks and processes get: base class, checked arguments, idempotency, standing orders."""
