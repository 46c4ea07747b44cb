"""Diagnosis: causes that hold a run, queue or worker, and faults of a stack."""
