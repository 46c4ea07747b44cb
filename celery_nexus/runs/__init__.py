"""Runs, as people ask for them: the history as a source, as a file, and its recording for another's application."""
