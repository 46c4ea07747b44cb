"""The task families: shells of the tasks, and the plain services that do the work."""
