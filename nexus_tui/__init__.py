"""What people see and touch: the dashboard and the command line."""
