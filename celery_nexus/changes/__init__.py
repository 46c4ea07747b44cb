"""Changes of runs and queues: the steps of one, and what really happened, for dashboard, command line and programs."""
