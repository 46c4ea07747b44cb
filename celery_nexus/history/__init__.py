"""The history of every run: events in a Redis stream, recorded in SQLite, read by dashboard and command line."""
