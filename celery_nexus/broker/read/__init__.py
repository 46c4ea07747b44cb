"""Readers of queues and messages; they change nothing."""
