"""Workflows of any application as trees: what ran, what is still to run, what never will and why."""
