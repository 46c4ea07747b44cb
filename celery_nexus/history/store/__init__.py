"""The history's SQLite file: tables, runs, aggregates, retention."""
