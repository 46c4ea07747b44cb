"""The catalog: task types that can be submitted, and their submission."""
