"""The column index: copies of what filters ask, by columns, so that a million runs are looked through at once."""
