"""The programs that read events and write them into the history."""
