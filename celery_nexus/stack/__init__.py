"""A stack that supervisord runs: its supervisor.conf, its start and stop, the state of its programs."""
