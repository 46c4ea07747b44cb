"""Runs: the history as a source, as a file, and the recording of foreign applications."""
