"""Exports: records stream from a list or a file into a table format; no cell becomes a formula or markup."""
