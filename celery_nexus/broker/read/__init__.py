"""Reading queues and messages, without changing anything."""
