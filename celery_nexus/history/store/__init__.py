"""The history's SQLite file: tables, runs, aggregates, what is kept and for how long."""
