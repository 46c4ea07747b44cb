"""The user interface: dashboard and command line."""
