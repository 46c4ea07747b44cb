"""A stack under supervisord: its supervisor.conf, start, stop, and the states of its programs."""
