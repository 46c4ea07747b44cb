"""Tables, their columns, order, marks and cursor."""
