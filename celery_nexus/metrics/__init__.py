"""Metrics of an application in Prometheus' format: queues, workers and their verdicts, runs, beat, recorder."""
