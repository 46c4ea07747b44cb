"""Programs of a stack that supervisord runs: their state, their start and stop, and work to try them with."""
