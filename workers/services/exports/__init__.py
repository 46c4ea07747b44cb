"""Records as files: read from where they lie, looked through once, written in any format."""
