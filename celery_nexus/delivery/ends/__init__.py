"""Ends of runs, also of those that never start: results, chords, dead letters, revokes."""
