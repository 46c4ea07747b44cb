"""What does the work: the tasks, their plain services, delivery, the event stream and the history."""
