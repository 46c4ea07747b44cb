"""How a run ends that ran to its end, and one that never will: results, chords, dead letters, revokes."""
