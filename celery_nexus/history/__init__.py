"""Events of every run: written to a Redis stream by each worker, recorded in SQLite, asked by everybody."""
