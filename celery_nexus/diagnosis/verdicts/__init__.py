"""Verdicts of workers and queues: pure conclusions from what was seen at two moments."""
