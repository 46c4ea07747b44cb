"""What tables of the views show: their columns, cells, groups and order."""
