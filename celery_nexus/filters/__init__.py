"""Filter language of dashboard, command line and client: fields, grammar, and filters held against rows in memory."""
